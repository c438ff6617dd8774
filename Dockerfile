# Flows and stages in a container: docker build -t jmlr:0.1.0 .
# The repository with data/, build/ and .dvc/ is mounted at /srv/jmlr; its code goes before the image's, because DVC hashes
# it as a dependency of the stages. Models and data are never part of the image. docs/orchestration.md has the rest.
FROM python:3.11.13-slim-bookworm

# g++ and ninja compile DeepSpeed's and colbert-ai's extensions at their first use; git is what DVC and provenance read.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends g++ git make \
    && rm -rf /var/lib/apt/lists/*

ENV PYTHONPATH=/srv/jmlr \
    PYTHONUNBUFFERED=1 \
    PIP_DISABLE_PIP_VERSION_CHECK=1 \
    DO_NOT_TRACK=1 \
    DVC_NO_ANALYTICS=1 \
    MLFLOW_DISABLE_TELEMETRY=true \
    PREFECT_SERVER_ANALYTICS_ENABLED=false

WORKDIR /opt/jmlr
# The lock alone first: the layer with 2 GB of packages is made again only when it changes.
# For a CPU image: --build-arg PIP_FLAGS="--extra-index-url https://download.pytorch.org/whl/cpu"
ARG PIP_FLAGS=""
COPY requirements.lock ./
# hadolint ignore=SC2086
RUN pip install --no-cache-dir --no-compile ${PIP_FLAGS} -r requirements.lock
# psycopg2, S3 and the worker of Kubernetes: pyproject.toml
ARG EXTRAS="postgres,s3,kubernetes"
COPY pyproject.toml README.md LICENSE ./
COPY jmlr ./jmlr
COPY flows ./flows
RUN pip install --no-cache-dir --no-build-isolation --constraint requirements.lock ".[${EXTRAS}]"

RUN useradd --create-home --uid 1000 jmlr && mkdir -p /srv/jmlr && chown jmlr /srv/jmlr
USER 1000
WORKDIR /srv/jmlr
CMD ["python", "-m", "flows.pipeline"]
