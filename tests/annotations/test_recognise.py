"""Forms are tried in their order; the first that holds a lesion is taken, and one that is broken hides no other."""

from __future__ import annotations

from typing import get_args

import pytest

from mammo.annotations import recognise as module
from mammo.annotations.finding import Evidence, Finding
from mammo.annotations.recognise import FINDERS, recognise
from mammo.dicom.unusable import Unusable
from mammo.settings import AnnotationSettings, Form

HIGH, LOW = Finding((5, 1, 9, 9), "gsps"), Finding((0, 4, 3, 9), "gsps")
ELSEWHERE = Finding((1, 1, 2, 2), "outline")


def broken(evidence, settings):
    raise Unusable("cut off")


@pytest.fixture
def found(tmp_path, monkeypatch):
    """Recognises a film whose forms give what is said; the others give nothing."""

    def recognised(forms="auto", **given):
        finders = {form: lambda *_, form=form: list(given.get(form, [])) for form in get_args(Form)}
        finders |= {form: one for form, one in given.items() if callable(one)}
        monkeypatch.setattr(module, "FINDERS", finders)
        return recognise(Evidence(tmp_path / "film", (10, 10)), AnnotationSettings(forms=forms))

    return recognised


def test_every_form_has_its_finder_in_the_order_of_auto():
    assert list(FINDERS) == list(get_args(Form))


def test_the_first_form_with_a_lesion_is_taken_from_top_to_bottom(found):
    assert found(outline=[ELSEWHERE], gsps=[LOW, HIGH]) == [HIGH, LOW]


def test_the_order_is_the_settings(found):
    assert found(forms=("outline", "gsps"), outline=[ELSEWHERE], gsps=[LOW]) == [ELSEWHERE]


def test_a_broken_form_does_not_hide_a_later_one(found):
    assert found(seg=broken, outline=[ELSEWHERE]) == [ELSEWHERE]


def test_a_broken_form_is_no_film_without_lesions(found):
    with pytest.raises(Unusable, match="seg: cut off"):
        found(seg=broken)


def test_nothing_there_is_an_empty_list(found):
    assert found() == []
