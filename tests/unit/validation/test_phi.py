"""What the screen finds, and what of medical texts it must leave alone."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jmlr.validation.phi import KINDS, redacted, screen


@pytest.mark.parametrize(
    ("kind", "text", "found"),
    [
        ("ssn", "Her SSN is 219-09-4321.", "219-09-4321"),
        ("ssn", "219-09-4321 is on the wristband", "219-09-4321"),
        ("ssn", "ssn: 219094321", "219094321"),
        ("ssn", "social security number 219 09 4321", "219 09 4321"),
        ("phone", "call 301-496-5248 now", "301-496-5248"),
        ("phone", "fax (301) 496-5248", "(301) 496-5248"),
        ("phone", "toll free 1-800-227-2345", "1-800-227-2345"),
        ("phone", "abroad +44 20 7946 0958", "+44 20 7946 0958"),
        ("email", "write to ann.lee@clinic.co.uk.", "ann.lee@clinic.co.uk"),
        ("mrn", "MRN 0048213", "0048213"),
        ("mrn", "mrn#: 00-48-213", "00-48-213"),
        ("mrn", "Medical record number is A48213", "A48213"),
        ("mrn", "Medical Record No. 48213", "48213"),
        ("mrn", "patient ID: 99321", "99321"),
        ("mrn", "Patient identification number 99321", "99321"),
        ("ssn", "CAS 50-78-2, SSN 219-09-4321", "219-09-4321"),
        ("ssn", "lot 7, 219-09-4321 on the wristband", "219-09-4321"),
        ("mrn", "Patient number is 48213", "48213"),
        ("mrn", "patient no: 4821", "4821"),
        ("mrn", "hospital number 0048-213 to be called", "0048-213"),
        ("dated_name", "Mrs. Ann Jones, who chaired the committee, was seen on 14 June 2019", None),
        ("dated_name", "Mr. Smith, born on 3 May 1961, adopted a son", "Mr. Smith, born on 3 May 1961"),
        ("dated_name", "Mrs. Lee met on 3 March 2021 with a surgeon", "Mrs. Lee met on 3 March 2021"),
        ("dated_name", "Her committee met on 3 March 2021 with Mrs. Lee", "3 March 2021 with Mrs. Lee"),
        ("dated_name", "Mrs. Lee, 54, comes on 3 March 2021", "Mrs. Lee, 54, comes on 3 March 2021"),
        ("dated_name", "Mr. John Smith, born 03/04/1962, smokes.", "Mr. John Smith, born 03/04/1962"),
        ("dated_name", "Smith, John (DOB 1962-04-03)", "Smith, John (DOB 1962-04-03"),
        ("dated_name", "Patient: Jane Doe came and was admitted January 5, 2020", None),
        ("dated_name", "Mrs O'Brien was seen on 5 January 2020", "Mrs O'Brien was seen on 5 January 2020"),
        ("dated_name", "Jane Doe was admitted on 2020-01-05", "Jane Doe was admitted on 2020-01-05"),
        ("dated_name", "On March 3rd, 2019, Ms. Ann Lee fell", "March 3rd, 2019, Ms. Ann Lee"),
        ("dated_name", "DOB 03/04/1962, Doe, Jane", "03/04/1962, Doe, Jane"),
        ("dated_name", "Jos\u00e9 Garc\u00eda (born 5 Jan 1962)", "Jos\u00e9 Garc\u00eda (born 5 Jan 1962"),
    ],
)
def test_each_kind_is_found(kind, text, found):
    assert screen(text).get(kind) == (found or text,)


@pytest.mark.parametrize(
    "text",
    [
        "000-12-3456, 666-12-3456, 912-12-3456, 123-00-4567 and 123-45-0000 were never given to anyone",
        "ISBN 978-3-16-148410-0, ISBN 219-09-4321, CAS 50-78-2, order 0-219-09-4321 or 219-09-43210",
        "trial NCT01234567, PMID 12345678, EudraCT 2004-123456-12, 1998;279(19):1548-1553",
        "the MRN study took 4500 patients, and patient number 12 left",
        "medical records of 12000 patients, patient records from 2010 to 2015, medical record 2010 to 2015",
        "Patient number increased to 2500 a year, and patient identification of 20000 in 95% of cases",
        "Mr. Smith is 45 years old and takes 2000 mg",
        "The hospital number 4 ward has patient number 1200 in the trial; patient no. 3412 was excluded",
        "Patient number 1024 to 2048 and patient number 10240 to 20480 were randomised",
        "ClinicalTrials.gov NCT01234567, registered 12 March 2015, Mr. Bean was not involved",
        "Ms. Chen and Mrs. Jones chaired the guideline group, which met on 14 June 2019",
        "It was adopted on 14 June 2019 by Ms. Anna Example, minister of health",
        "lot 123-45-6789 was recalled, batch no. 123-45-6789, CAS 219-09-9123, CAS number: 123-45-6789",
        "Dr. John Smith, January 5, 2020",
        "children of the Danish Registry who were born 1 January 1996",
        "The Patient was admitted on January 5, 2020",
        "National Institutes of Health, 03/04/2012",
        "Reviewed in Nature Medicine, January 5, 2020",
        "p < 0.05 @ 5 mg, n@home",
        "10-15-20 mg, 120/80 mmHg, 1.5-2.5-1000, HbA1c 7.5% on 2020-01-05",
    ],
)
def test_medical_numbers_and_names_are_left_alone(text):
    assert screen(text) == {}


def test_kinds_are_in_order_and_findings_not_repeated():
    found = screen("MRN 48213, mrn 48213, ann@clinic.org, SSN 219-09-4321")
    assert found == {"ssn": ("219-09-4321",), "email": ("ann@clinic.org",), "mrn": ("48213",)}
    assert set(found) < set(KINDS)


def test_redacted_texts_have_none_of_the_findings_left():
    text = "Patient: Jane Doe, MRN 0048213, SSN 219-09-4321, ann@clinic.org, 301-496-5248, admitted 01/05/2020"
    found = screen(text)
    assert set(found) == set(KINDS)
    shown = redacted(text, found)
    assert screen(shown) == {}
    assert not any(value in shown for values in found.values() for value in values)


@given(st.text(alphabet="0123456789-/. @aMr,Jn:SNPt\n", max_size=200))
def test_every_finding_stands_in_the_text(text):
    for values in screen(text).values():
        assert all(value in text for value in values)


@pytest.mark.parametrize("part", ["1-", "a.@", "Mr. Ab 1/2/2000 ", "MRN ", "Ab Cd born ", "219-09-4321 ", "+1 "])
def test_no_text_takes_the_screen_long(part):
    started = time.process_time()
    screen(part * 10_000 + "1/2/2000")
    assert time.process_time() - started < 5
