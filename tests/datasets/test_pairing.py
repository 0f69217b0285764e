"""Which files of a hospital's delivery are films, and which films the others belong to."""

from __future__ import annotations

import numpy as np
import pytest

from mammo.datasets.pairing import pair_films
from mammo.phantom.dicomfile import MAMMO_FOR_PRESENTATION, SECONDARY_CAPTURE, elements, encode, set_pixels
from mammo.phantom.seeds import uid

GSPS = "1.2.840.10008.5.1.4.1.1.11.1"
PDF = "1.2.840.10008.5.1.4.1.1.104.1"
PIXELS = np.arange(64, dtype=np.uint16).reshape(8, 8)


def film(key, sop_class=MAMMO_FOR_PRESENTATION, **values):
    dataset = elements(Modality="MG", **values)
    set_pixels(dataset, PIXELS, 12, "MONOCHROME2")
    return encode(dataset, sop_class, key)


def reference(key):
    return elements(
        ReferencedSOPClassUID=MAMMO_FOR_PRESENTATION, ReferencedSOPInstanceUID=uid("instance", key)
    )


def presentation_state(key, *films):
    series = elements(
        SeriesInstanceUID=uid("series"), ReferencedImageSequence=[reference(one) for one in films]
    )
    return encode(elements(Modality="PR", ReferencedSeriesSequence=[series]), GSPS, key)


def marked_copy(key, of):
    return film(key, SECONDARY_CAPTURE, SourceImageSequence=[reference(of)])


@pytest.fixture
def deliver(tmp_path):
    """Writes files by name and gives what `pair_films` makes of them: films with companions, refusals."""

    def paired(**files):
        for name, content in files.items():
            (tmp_path / name.replace("__", ".")).write_bytes(content)
        films, refused = pair_films(sorted(tmp_path.iterdir()))
        names = {one.path.name: [(role, path.name) for role, path in one.all_companions] for one in films}
        return names, {path.name: reason for path, reason in refused}

    return paired


def test_a_presentation_state_belongs_to_the_films_that_it_refers_to(deliver):
    films, refused = deliver(
        a__dcm=film("a"), b__dcm=film("b"), c__dcm=film("c"), state__dcm=presentation_state("s", "a", "b")
    )
    assert films == {"a.dcm": [("gsps", "state.dcm")], "b.dcm": [("gsps", "state.dcm")], "c.dcm": []}
    assert refused == {}


def test_a_marked_copy_belongs_to_its_clean_twin_and_is_no_film(deliver):
    films, refused = deliver(a__dcm=film("a"), b__dcm=marked_copy("b", "a"))
    assert films == {"a.dcm": [("twin", "b.dcm")]} and refused == {}


def test_a_marked_copy_whose_clean_twin_was_not_delivered_is_the_film(deliver):
    films, refused = deliver(b__dcm=marked_copy("b", "a"))
    assert films == {"b.dcm": []} and refused == {}


def test_pictures_and_xml_belong_to_the_film_of_their_name_in_any_case_of_letters(deliver):
    films, refused = deliver(a__dcm=film("a"), A__JPG=b"jpeg", a__xml=b"<x/>", other__png=b"png")
    assert films == {"a.dcm": [("picture", "A.JPG"), ("plist", "a.xml")]}
    assert refused == {"other.png": "a picture without the DICOM file that it belongs to"}


def test_what_is_neither_film_nor_annotation_has_a_reason(deliver):
    films, refused = deliver(
        a__dcm=film("a"),
        report__dcm=encode(elements(Modality="DOC"), PDF, "r"),
        lost__dcm=presentation_state("s", "elsewhere"),
        list__txt=b"text",
    )
    assert list(films) == ["a.dcm"]
    assert refused == {
        "report.dcm": "a DICOM object that is neither a film nor an annotation",
        "lost.dcm": "an annotation (gsps) that refers to no film of the delivery",
        "list.txt": "neither a DICOM file nor the picture of one",
    }


def test_an_annotation_is_not_hung_on_one_of_several_films_of_one_uid(deliver):
    films, refused = deliver(a__dcm=film("a"), b__dcm=film("a"), state__dcm=presentation_state("s", "a"))
    assert films == {"a.dcm": [], "b.dcm": []}
    assert refused == {"state.dcm": "an annotation (gsps): several films have the UID that it refers to"}


def test_a_broken_file_counts_as_a_film_so_that_decoding_says_what_is_wrong(deliver):
    films, refused = deliver(a__dcm=b"", b__dcm=b"\0" * 500)
    assert films == {"a.dcm": [], "b.dcm": []} and refused == {}
