"""A transcript is cut where the user cut in: in proportion, and never inside a character."""

# ruff: noqa: RUF001 - letters that look like others are what is tried here

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime_actors.core.history.heard_words import LONGEST_WORD, clusters, heard_words
from tests.core.machine import times

SENTENCES = {
    "English": "Our shop is open from nine to five on working days and from ten to two.",
    "Greek": "Το κατάστημά μας είναι ανοιχτό από τις εννέα έως τις πέντε τις εργάσιμες.",
    "Japanese": "はい、わかりました。営業時間は平日の九時から十七時までです。",
    "Chinese": "好的，我们的营业时间是周一到周五上午九点到下午五点，周六是上午十点到下午两点。",
    "Korean": "저희 가게는 평일 아홉 시부터 다섯 시까지, 토요일은 열 시부터 두 시까지 엽니다.",
    "Thai": "ร้านของเราเปิดตั้งแต่เก้าโมงเช้าถึงห้าโมงเย็นในวันทำการ",
    "Khmer": "ហាងរបស់យើងបើកពីម៉ោងប្រាំបួនព្រឹកដល់ម៉ោងប្រាំល្ងាច",
    "Burmese": "ကျွန်ုပ်တို့၏ဆိုင်ကိုမနက်ကိုးနာရီမှညနေငါးနာရီအထိဖွင့်သည်",
    "Hindi": "हमारी दुकान सुबह नौ बजे से शाम पाँच बजे तक खुली रहती है और शनिवार को दो बजे तक।",
    "Arabic": "متجرنا مفتوح من التاسعة صباحا حتى الخامسة مساء في أيام العمل والسبت حتى الثانية",
    "one long word": "Donaudampfschifffahrtsgesellschaftskapitaensmuetze",
    "emoji": "👍🏽👨‍👩‍👧‍👦🇩🇪🇫🇷❤️1️⃣" * 6,
    "letters and their accents apart": unicodedata.normalize("NFD", "Ça s'élève à Ångström " * 4),
}

# What is made of these has every way in which two characters can be one.
PIECES = [
    *("a", "bc", "internationalisation" * 2, " ", "  ", "\r\n", "\r", "\n", ".", "’"),
    *("e\u0301", "\u0308", "\u0301\u0323", "ï", "\u200d", "\u200c", "\ufe0f", "\u20e3"),
    *("👍", "🏽", "👨‍👩‍👧", "❤️", "🇩", "🇪", "🇫", "🏴\U000e0067\U000e0062\U000e007f", "©"),
    *("한", "하", "\u1112", "\u1161", "\u11ab", "क", "्", "ि", "ก", "ำ", "ั", "は", "ﾞ", "九", "、"),
    *("\u0600", "ب", "\ud7b0", "\ua960", "\U00020000", "\U000e0020"),
]
texts = st.lists(st.sampled_from(PIECES), max_size=40).map("".join)
lengths_ms = st.integers(0, 3000)


def shares(text: str) -> list[int]:
    """How many hundredths of a text are kept, for each tenth of its sound that was heard."""
    return [100 * len(heard_words(text, tenth * 100, 1000)) // len(text) for tenth in range(1, 10)]


@pytest.mark.parametrize("language", SENTENCES)
def test_about_as_much_is_kept_as_was_heard_in_every_language(language) -> None:
    for tenth, share in enumerate(shares(SENTENCES[language]), start=1):
        assert 10 * tenth - 17 <= share <= 10 * tenth + 5, f"{share} % of {10 * tenth} %"


@pytest.mark.parametrize(
    ("heard_ms", "kept"),
    [(0, ""), (200, ""), (400, "Good"), (500, "Good"), (980, "Good"), (1000, "Good morning")],
)
def test_words_with_spaces_around_them_are_kept_whole_or_not_at_all(heard_ms, kept) -> None:
    assert heard_words("Good morning", heard_ms, 1000) == kept


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("はい、わかりました。", "はい、わか"),
        ("営業時間はOpenAIの九時から", "営業時間は"),  # a foreign word is kept whole among them
        ("👍👍👍👍", "👍👍"),
        ("🇩🇪🇫🇷🇮🇹🇪🇸", "🇩🇪🇫🇷"),
        ("한국어를 말해요", "한국어를"),
        ("x" * 100, "x" * 50),
        ("", ""),
        ("        ", ""),
    ],
)
def test_half_of_it(text, kept) -> None:
    assert heard_words(text, 500, 1000) == kept


@pytest.mark.parametrize(
    ("text", "pieces"),
    [
        ("e\u0301a", ["e\u0301", "a"]),
        ("👨‍👩‍👧‍👦!", ["👨‍👩‍👧‍👦", "!"]),
        ("👍🏽👍", ["👍🏽", "👍"]),
        ("🇩🇪🇫🇷🇮", ["🇩🇪", "🇫🇷", "🇮"]),
        ("🏴\U000e0067\U000e0062\U000e007fx", ["🏴\U000e0067\U000e0062\U000e007f", "x"]),
        ("❤️1️⃣2", ["❤️", "1️⃣", "2"]),
        ("\u1112\u1161\u11ab\u1100", ["\u1112\u1161\u11ab", "\u1100"]),
        ("한\u11ab하\u11ab국", ["한\u11ab", "하\u11ab", "국"]),
        ("กำลัง", ["กำ", "ลั", "ง"]),
        ("नमस्ते", ["न", "म", "स्ते"]),
        ("ｶﾞﾊﾟ", ["ｶﾞ", "ﾊﾟ"]),
        ("\u0600ب.", ["\u0600ب", "."]),
        ("a\r\n\u0301", ["a", "\r\n", "\u0301"]),
        ("", []),
    ],
)
def test_what_people_see_as_one_character_is_one_cluster(text, pieces) -> None:
    assert list(clusters(text)) == pieces


@times(3)
@given(text=texts, heard_ms=lengths_ms, received_ms=lengths_ms)
def test_what_is_kept_is_a_beginning_between_two_characters(text, heard_ms, received_ms) -> None:
    kept = heard_words(text, heard_ms, received_ms)
    rest = text.removeprefix(kept)

    assert kept + rest == text
    if not kept or not rest:
        return
    assert unicodedata.category(rest[0])[0] != "M"
    assert rest[0] not in "\u200d\u200c\ufe0f\u20e3ำﾞ🏽\U000e0020"
    if unicodedata.category(rest[0]) != "Cc":  # before a control character there is an edge
        assert not kept.endswith(("\u200d", "\u0600"))
    assert not (kept[-1] == "\r" and rest[0] == "\n")
    flags = len(kept) - len(kept.rstrip("🇩🇪🇫"))
    assert flags % 2 == 0 or rest[0] not in "🇩🇪🇫"
    # What normalisation would join was not parted: accents, and the parts of a syllable.
    nfc = [unicodedata.normalize("NFC", each) for each in (kept, rest, text)]
    assert nfc[0] + nfc[1] == nfc[2]


@given(text=texts, received_ms=st.integers(1, 3000))
def test_more_of_the_sound_never_gives_fewer_words(text, received_ms) -> None:
    kept = [heard_words(text, heard_ms, received_ms) for heard_ms in range(0, received_ms + 1, 17)]

    assert kept == sorted(kept, key=len)
    assert kept[0] == ""
    assert heard_words(text, received_ms, received_ms) == text


@given(
    words=st.lists(st.text("abcdé", min_size=1, max_size=LONGEST_WORD), max_size=20),
    heard_ms=lengths_ms,
)
def test_a_word_of_the_usual_length_is_never_split(words, heard_ms) -> None:
    kept = heard_words(" ".join(words), heard_ms, 3000)

    assert kept.split() == words[: len(kept.split())]


@given(text=texts)
def test_the_clusters_of_a_text_are_all_of_it(text) -> None:
    assert "".join(clusters(text)) == text
    assert all(clusters(text))
