from __future__ import annotations

import pytest

from jmlr.evaluation.groups.vignette import AGE_GROUPS, UNKNOWN, Patient, age_group, read_patient

# Wordings of MedQA, MedMCQA and MMLU, shortened.
READ = [
    ("A 54-year-old man comes because of chest pain.", 54, "male"),
    ("54 yo M with crushing chest pain.", 54, "male"),
    ("A 54 y/o female with chest pain.", 54, "female"),
    ("A girl aged 7 has a rash.", 7, "female"),
    ("A boy, aged 6 months, is pale.", 0.5, "male"),
    ("A 29 yrs old woman has a 10 years old boy with Down syndrome.", 29, "female"),
    ("26 years old lady with H/o recurrent abortion", 26, "female"),
    ("A 67-year-woman with lymphoma", 67, "female"),
    ("A 40 year male complaining of hot flushes", 40, "male"),
    ("4yr boy absence of right testes", 4, "male"),
    ("A 12 - year - old boy had a cut", 12, "male"),
    ("A 3-day-old male newborn is brought in.", 3 / 365.25, "male"),
    ("An 18-month-old girl is brought by her mother.", 1.5, "female"),
    ("A six-year-old boy with asthma. His mother brings him.", 6, "male"),
    ("A twenty-one-year-old woman faints.", 21, "female"),
    ("A 35-year-old G2P1 at 30 weeks gestation", 35, "female"),
    ("A 28-year-old gravida 1 at 32 weeks gestation", 28, "female"),
    ("A 65-year-old African American, previously healthy man", 65, "male"),
    ("Two weeks after surgery, a previously healthy 79-year-old woman is agitated.", 79, "female"),
    ("She is 35 years old and has a headache.", 35, "female"),
    ("The patient is a woman. Mr Jones, 61 years of age, is her husband.", 61, "male"),
    ("А 43-уеаr-old mаn рrеѕеntѕ wіth tіnglіng.", 43, "male"),  # letters that only look Latin, as published
]


@pytest.mark.parametrize(("text", "years", "sex"), READ, ids=[text[:40] for text, _, _ in READ])
def test_age_and_sex_are_read(text: str, years: float, sex: str) -> None:
    found = read_patient(text)
    assert (found.age_years, found.sex) == (pytest.approx(years), sex)
    assert found.age_group == age_group(years)


def test_pronouns_tell_the_sex_only_if_they_agree() -> None:
    assert read_patient("A 25-year-old zookeeper coughs. He states that he sweats at night.").sex == "male"
    assert read_patient("A 25-year-old nurse and his friend. She was with him.").sex == UNKNOWN
    assert read_patient("A 34-year-old patient had an accident.").sex == UNKNOWN


def test_brought_by_his_wife_decides_between_pronouns() -> None:
    text = "A 55-year-old truck driver is brought to a physician by his wife. She states that her husband is weak."
    assert read_patient(text) == Patient(55, "40 to 64", "male")


def test_the_child_that_is_brought_is_the_patient() -> None:
    for text in (
        "A mother brings her 3-year-old son because he coughs.",
        "A 30-year-old mother brings her 3-year-old son because he coughs.",
        "A mother presents with her 3-year-old son.",
    ):
        assert read_patient(text) == Patient(3, "under 18", "male"), text


def test_relatives_are_passed_over() -> None:
    assert read_patient("A boy is brought by his 30-year-old mother.") == Patient(None, "under 18", "male")
    assert read_patient("Her 50-year-old brother died. A 44-year-old woman asks for a test.").age_years == 44


def test_a_newborn_comes_before_its_mother() -> None:
    text = "A 2,300 g (5 lb) male newborn is delivered to a 29-year-old primigravid woman."
    assert read_patient(text) == Patient(None, "under 18", "male")
    text = "A routine newborn screening test in a male neonate shows phenylalanine. He gets a diet."
    assert read_patient(text) == Patient(None, "under 18", "male")


def test_groups_without_a_number() -> None:
    assert read_patient("An elderly man has oedema.") == Patient(None, "65 and over", "male")
    assert read_patient("A pregnant woman has a seizure.") == Patient(None, UNKNOWN, "female")
    assert read_patient("A child presented with a rash.") == Patient(None, "under 18", UNKNOWN)


@pytest.mark.parametrize(
    "text",
    [
        "Which enzyme is lacking in scurvy?",
        "In women over 60 years old, which drug is contraindicated?",
        "A study of 45 to 60-year-old men compares two statins.",
        "A drug is tested in patients younger than 18 years of age.",
        "Female hormones are produced by which organ?",
        "The normal respiratory rate for an adult male is:",
        "A disease has a 10-year survival of 50%.",
        "A 450-year-old tree",
        "",
    ],
)
def test_no_patient_nothing_known(text: str) -> None:
    assert read_patient(text) == Patient()


def test_past_ages_are_not_the_patients() -> None:
    assert read_patient("At 12 years of age, menarche occurred. Now a 40-year-old woman is tired.").age_years == 40
    assert read_patient("A 62-year-old female has spotting. Menopause occurred at 52 years of age.").age_years == 62


def test_two_sexes_in_one_phrase_are_contradictory() -> None:
    assert read_patient("A 30-year-old male female impersonator").sex == UNKNOWN


@pytest.mark.parametrize(
    ("years", "place"), [(0, 0), (17.9, 0), (18, 1), (39.9, 1), (40, 2), (64.9, 2), (65, 3), (99, 3)]
)
def test_bounds_of_the_groups(years: float, place: int) -> None:
    assert age_group(years) == AGE_GROUPS[place]
