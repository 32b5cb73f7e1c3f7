"""Replies as data: what each completion means, worked out from the rules by hand."""

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recflow.llm.replies import read_reply

ABC = ["a", "b", "c"]
FENCE = "```"


def ranked(text, ids=ABC, **options):
    reading = read_reply(text, ids, **options)
    assert sorted(reading.order) == list(range(len(ids)))
    return [ids[position] for position in reading.order[: reading.n_ranked]]


def drops(text, ids=ABC, **options):
    return [(token.text, token.reason) for token in read_reply(text, ids, **options).dropped]


def block(content, language=""):
    return f"{FENCE}{language}\n{content}\n{FENCE}"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (block('["a","b"]', "json"), "ab"),
        (block("item_id,desc\na, x\nb ,y\n,z", "csv"), "ab"),
        (block('["c"]', "JSON"), "c"),
        (block("b\na"), "ba"),
        ("a, b, c", "abc"),
        ("1. a", "a"),
        (f"Sure:\n{block('c', 'csv')}\n{block('[]', 'json')}", "c"),
        (block("", "json"), ""),
        (f"text\n{block('b,x', 'csv')}", "b"),
    ],
)
def test_completions_that_gorse_reads_are_read_at_least_as_well(text, expected):
    assert ranked(text) == list(expected)


def test_json_numbers_keep_their_source_text():
    assert ranked('[2.50, 1, 1e3, true, null, {"id": "x"}]', ["1", "2.50", "1e3", "x"]) == [
        "2.50",
        "1",
        "1e3",
        "x",
    ]
    assert ranked("[2.50]", ["2.5"]) == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('["c","b","a"]', "cba"),
        ('[{"item_id":"c"},{"item_id":"a"}]', "ca"),
        ('[{"item_id":"c","reason":"as a, b"},{"item_id":"b","reason":"x"}]', "cb"),
        ('[{"title":"X","pick":"b"},{"title":"Y","pick":"c"}]', "bc"),
        ('[{"item":{"id":"b"},"score":1},{"item":{"id":"a"},"score":2}]', "ba"),
        ('[{"rank":2,"id":"a"},{"rank":1,"id":"b"}]', "ba"),
        ('{"ranking":["c","a","b"],"note":"done"}', "cab"),
        ('{"result":{"items":["b","a"]}}', "ba"),
        ('{"candidates":["a","b","c"],"ranking":["c","a"]}', "ca"),
        ('{"ranking":"c, b, a"}', "cba"),
        ('{"a":0.1,"b":0.9,"c":0.5}', "bca"),
        ('{"a":"10%","b":"9%"}', "ab"),
        ('{"b":1,"c":2,"a":3}', "bca"),
        ('{"a":-2.5,"b":-0.5}', "ba"),
        ('{"1":"c","2":"b","3":"a"}', "cba"),
        ('{"2":"c","1":"b"}', "bc"),
        ('{"rank_2":"c","rank_1":"b"}', "bc"),
        ('{"1":{"id":"c"},"2":{"id":"b"}}', "cb"),
        ('{"c":{"why":"x"},"b":{"why":"y"}}', "cb"),
        ('{"id":"c"}\n{"id":"a"}\n', "ca"),
        ('"c"\n"a"', "ca"),
        ('[["b",0.9],["a",0.5]]', "ba"),
        ('[["b","a"],["c"]]', "bac"),
        ('["c","b","a"', "cba"),
        ('{"ranking":["c","b"', "cb"),
        ('[{"id":"c"},{"id":"b"', "cb"),
        ("['c', 'b', 'a',]", "cba"),
        ("[c, b, a]", "cba"),
        ('[\n  "c", // best\n  "a"\n]', "ca"),
        ('The ranking is ["b","a"].', "ba"),
        ('Answer: ["b","a"]\nEnjoy!', "ba"),
        ('["1. c", "2. b"]', "cb"),
        ('["c - great", "b - good"]', "cb"),
        ('["\\u0062", "a"]', "ba"),
        ('"[\\"c\\", \\"b\\"]"', "cb"),
        ('"{\\"ranking\\": [\\"c\\", \\"a\\"]}"\n', "ca"),
        ('"c\\nb\\na"', "cba"),
        ("[]", ""),
        ("{}", ""),
        ("[[[[]]]]", ""),
    ],
)
def test_json_in_every_shape(text, expected):
    assert ranked(text) == list(expected)
    assert ranked(block(text, "json")) == list(expected)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("item_id\nc\nb", "cb"),
        ("item_id,reason\nc,good\nb,bad", "cb"),
        ("rank,item_id,reason\n1,c,good\n2,b,bad", "cb"),
        ("reason;id\ngood;c\nbad;b", "cb"),
        ("c\tgood\nb\tbad", "cb"),
        ("1\tc\n2\tb", "cb"),
        ('"c","good, very"\n"b","bad"', "cb"),
        ('c,"first\nsecond"\nb,"third"', "cb"),
        ("| rank | id |\n|------|:--:|\n| 1 | **c** |\n| 2 | `b` |", "cb"),
        ("| id |\n|----|\n| c |\n| a |", "ca"),
        ("| c |\n|\n| b |", "cb"),
        ("c|b\n|", "cb"),
        ("rank,id\n2,a\n1,c", "ca"),
        ("c,b,a", "cba"),
        ("c, b\na", "cba"),
        ("c;b;a", "cba"),
        ("c | b | a", "cba"),
        ("c b a", "cba"),
        ("c > b > a", "cba"),
        ("[c] > [b] = [a]", "cba"),
        ("c, b and a", "cba"),
        ("c, b, and a", "cba"),
        ("Here is my list: c, b, and a.", "cba"),
        ("\\boxed{c, b, a}", "cba"),
        ("The answer is $\\boxed{c, b, a}$.", "cba"),
        ("\\[\\boxed{c > b > a}\\]", "cba"),
        ("\\boxed{c, b, a", "cba"),
        ("c → b → a", "cba"),
        ("Here is my list: c, b, a", "cba"),
        ("Ranking: c > a > b", "cab"),
        ("good,c\nfine,b", "cb"),
    ],
)
def test_tables_and_rows(text, expected):
    assert ranked(text) == list(expected)
    assert ranked(block(text, "csv")) == list(expected)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("c\nb\na", "cba"),
        ("c\r\nb\r\n", "cb"),
        ("  c  \n\n\tb", "cb"),
        ("1. c\n2. b", "cb"),
        ("1) c\n2) b", "cb"),
        ("(1) c\n(2) b", "cb"),
        ("1: c\n2: b", "cb"),
        ("1 - c\n2 - b", "cb"),
        ("1st. c\n2nd. b", "cb"),
        ("#1 c\n#2 b", "cb"),
        ("Rank 1: c\nRank 2: b", "cb"),
        ("1. c\n1. b", "cb"),
        ("① c\n② b", "cb"),
        ("- c\n- b", "cb"),
        ("* c\n+ b", "cb"),
        ("• c\n• b", "cb"),
        ("> c\n> b", "cb"),
        ("- [x] c\n- [ ] b", "cb"),
        ("## c\n## b", "cb"),
        ("**c**\n*b*", "cb"),
        ("1. **c**: great\n2. **b** – good", "cb"),
        ("**1.** c\n**2.** b", "cb"),
        ("`c`\n~~b~~", "cb"),
        ('"c",\n"b"', "cb"),
        ("“c”\n«b»", "cb"),
        ("[c]\n(b)", "cb"),
        ("<item>c</item>\n<item>b</item>", "cb"),
        ("<ranking><id>c</id><id>b</id></ranking>", "cb"),
        ("[c](https://example.org/b)\n<b>", "cb"),
        ("id: c\nitem_id = b", "cb"),
        ("- **ID:** c\n- **ID:** b", "cb"),
        ('"item_id": "c",\n"item_id": "b"', "cb"),
        ("Item c: nice\nItem: b", "b"),
        ("c: because it is fun\nb (a comedy)\n", "cb"),
        ("c - great. b is worse\n", "c"),
        ("c. Great film\nb; fine", "cb"),
        ("Answer: c", "c"),
        ("c.", "c"),
        ("---\nc\n***\nb", "cb"),
    ],
)
def test_lines_are_peeled(text, expected):
    assert ranked(text) == list(expected)


@pytest.mark.parametrize(
    "text",
    [
        "I think the best is b.",
        "I would recommend b, but also a and c.",
        "a nice film is b",
        "Sorry, I cannot rank these items for you.",
        "My favourite [b] beats [a]",
        "abc\nab\nbb",
        "The answer lies in c or b",
    ],
)
def test_prose_is_not_a_list(text):
    reading = read_reply(text, ABC)
    assert (reading.status, reading.reason, reading.order) == ("failed", "no_candidate", (0, 1, 2))


FILMS = [
    "Saw",
    "Saw II",
    "(500) Days of Summer",
    "Lock, Stock",
    "12 Monkeys",
    "item\\x",
    "B_1",
    "#tag",
    "x: y",
]


@pytest.mark.parametrize("name", FILMS)
@pytest.mark.parametrize("shape", ["{}", "1. {}", "- {}", "**{}**", "`{}` - fun", "1) {}: fun", '"{}"'])
def test_an_id_may_look_like_markup(name, shape):
    assert ranked("\n".join([shape.format(name), "Heat"]), [*FILMS, "Heat"])[0] == name


def test_a_point_at_the_end_of_a_sentence_may_be_part_of_an_id():
    assert ranked("c, b, and E.T.", ["b", "c", "E.T", "E.T."]) == ["c", "b", "E.T."]
    assert ranked("c, b, and E.T.", ["b", "c", "E.T"]) == ["c", "b", "E.T"]


def test_longest_candidate_at_the_start_wins():
    assert ranked("Saw II - gory\nSaw - good", FILMS) == ["Saw II", "Saw"]


def test_an_id_is_no_beginning_of_an_unknown_one():
    assert ranked("Saw II\nSaw", ["Saw", "Heat"]) == ["Saw"]
    assert drops("Saw II\nSaw", ["Saw", "Heat"])[0] == ("Saw II", "prose")
    assert ranked("item_42\nitem-3\nitem.x", ["item"]) == []


@pytest.mark.parametrize(
    ("text", "ids", "expected"),
    [
        ("a\nA", ["A", "a"], ["a", "A"]),
        ("A", ["a", "b"], ["a"]),
        (" a ", ["a", "b"], ["a"]),
        ("ｔｔ１", ["tt1", "b"], ["tt1"]),
        ("a–1", ["a-1", "b"], ["a-1"]),
        ("O’Brien", ["O'Brien", "b"], ["O'Brien"]),
        ("a\u200bb", ["ab", "c"], ["ab"]),
        ("Tom &amp; Jerry", ["Tom & Jerry", "b"], ["Tom & Jerry"]),
        ("Cafe\u0301", ["Café", "b"], ["Café"]),
        ("STRASSE", ["Straße", "b"], ["Straße"]),
        ("item\\_1", ["item_1", "b"], ["item_1"]),
        ("01", ["1", "b"], []),
        ("1.0", ["1", "b"], []),
        ("tt10", ["tt1", "tt100"], []),
        ("аpple", ["apple", "b"], []),
        ("appel", ["apple", "b"], []),
    ],
)
def test_match_ladder_and_nothing_beyond_it(text, ids, expected):
    assert ranked(text, ids) == expected


def test_a_form_that_fits_two_candidates_is_ambiguous():
    reading = read_reply("TT1\nb", ["tt1", "Tt1", "b"])
    assert reading.order == (2, 0, 1)
    assert drops("TT1\nb", ["tt1", "Tt1", "b"]) == [("TT1", "ambiguous")]
    assert ranked("Tt1", ["tt1", "Tt1", "b"]) == ["Tt1"]


NAMES = ["x", "y", "z"]
ALIASES = ["1", "2", "3"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("3\n1\n2", "zxy"),
        ("[3] > [1] > [2]", "zxy"),
        ("[3, 1, 2]", "zxy"),
        ('["3","1"]', "zx"),
        ("3, 1, 2", "zxy"),
        ("1. 3\n2. 1\n3. 2", "zxy"),
        ("1,3\n2,1\n3,2", "zxy"),
        ("3. Toy Story\n1. Heat", "zx"),
        ("1. Toy Story\n2. Heat", ""),
        ("[1] Toy Story\n[2] Heat", "xy"),
        ("[2] 12 Monkeys\n[1] Heat", "yx"),
        ("Item 3: Toy Story\nItem 1: Heat", "zx"),
        ("3,Toy Story\n1,Heat", "zx"),
        ('{"1":"3","2":"1","3":"2"}', "zxy"),
        ("0\n-1\n4\n2", "y"),
        ("[0, 2]", "y"),
        ("x\ny", ""),
        ("12", ""),
    ],
)
def test_aliases_are_the_only_names_that_count(text, expected):
    assert ranked(text, NAMES, aliases=ALIASES) == list(expected)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("<think>a, b, c</think>\nc\nb", "cb"),
        ("\n <THINK>a</THINK>\nb\n<think>c</think>a", "a"),
        ("a\nb</think>c", "c"),
        ("<thinking>a</thinking><reasoning>b</reasoning>c", "c"),
        ("[THINK]a[/THINK]b", "b"),
        (
            "<|channel|>analysis<|message|>a<|end|><|start|>assistant<|channel|>final<|message|>b\nc<|return|>",
            "bc",
        ),
        ("b\nc\n<think>but a", "bc"),
        ("c\n</s>", "c"),
        ("c<|im_end|>\n<|endoftext|>", "c"),
        ("\ufeffc", "c"),
        ("I see a.\n<answer>c\nb</answer>\na", "cb"),
        ("<think>never closed\n<answer>c</answer>", "c"),
        ("<answer>a</answer><answer>b", "b"),
    ],
)
def test_reasoning_and_special_tokens_are_taken_off(text, expected):
    assert ranked(text) == list(expected)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (f"a\n{block('c')}", "c"),
        (f"{block('c')}\na", "c"),
        (f"a\n{block('c')}\nb", "ab"),
        (f"a\nb\n{block('c')}", "ab"),
        (f"{block('b')}\n{block('c')}", "c"),
        (f"a\nb\nc\n{block('c')}", "c"),
        (f"{block('a' + chr(10) + 'b' + chr(10) + 'c')}\nFinal:\nc\nb", "cb"),
        ("~~~\nc\n~~~", "c"),
        ("~~~csv\nc\n```\nb\n~~~\na", "cb"),
        ("   ```\n   c\n   ```", "c"),
        ('- ```json\n  ["c"]\n  ```', "c"),
        ("````markdown\n```csv\nc\nb\n```\n````", "cb"),
        ("```markdown\n```csv\nc\nb\n```\n```", "cb"),
        ("```csv\nc\nb", "cb"),
        ('```json ["c","b"]```', "cb"),
        ('```["c","b"]```', "cb"),
        ('```json\n["c","b"]```\na', "cb"),
        ("```text lang=x\nc\n```", "c"),
        ("``` ```\nc", "c"),
    ],
)
def test_regions_are_told_apart_and_one_is_chosen(text, expected):
    assert ranked(text) == list(expected)


TENS = ["a1", "a10", "a12", "b"]


@pytest.mark.parametrize(
    ("text", "finish", "expected"),
    [
        ("b\na1", "length", ["b"]),
        ("b\na1", "stop", ["b", "a1"]),
        ("b\na1\n", "length", ["b", "a1"]),
        ("a10\na12\na1", "length", ["a10", "a12", "a1"]),
        ("a10\nb\na1", "content_filter", ["a10", "b"]),
        ("b\na1, a fine fi", "length", ["b", "a1"]),
        ('["b","a1', "length", ["b"]),
        ('["b","a1', None, ["b"]),
        ('["b","a1"', "length", ["b", "a1"]),
        ('["b", "a1", "a', "length", ["b", "a1"]),
        ("b,a10,a1", "length", ["b", "a10"]),
        (f"{FENCE}\nb\na1", "length", ["b"]),
        (f"{block('b' + chr(10) + 'a1')}\nNow", "length", ["b", "a1"]),
    ],
)
def test_a_cut_last_token_is_no_id(text, finish, expected):
    assert ranked(text, TENS, finish_reason=finish) == expected


def test_numbers_cut_in_the_middle_are_no_alias():
    ids, aliases = [f"i{n}" for n in range(1, 13)], [str(n) for n in range(1, 13)]
    assert ranked("[2, 3, 1", ids, aliases=aliases, finish_reason="length") == ["i2", "i3"]
    assert ranked("[2, 3, 1,", ids, aliases=aliases, finish_reason="length") == ["i2", "i3", "i1"]


def test_every_dropped_token_has_its_reason():
    text = "Here you go:\nitem_id\nb\nb\nzzz\nTT2\nthis one is great\nc1"
    assert drops(text, ["a", "b", "tt2", "Tt2", "c12"], finish_reason="length") == [
        ("Here you go", "prose"),
        ("item_id", "header"),
        ("b", "duplicate"),
        ("zzz", "unknown"),
        ("TT2", "ambiguous"),
        ("this one is great", "prose"),
        ("c1", "cut"),
    ]


def test_the_rest_follows_in_incoming_order():
    reading = read_reply("d\nb", ["a", "b", "c", "d"])
    assert (reading.order, reading.n_ranked, reading.status, reading.reason) == (
        (3, 1, 0, 2),
        2,
        "partial",
        "missing",
    )


def test_the_ranks_asked_for_are_enough_for_ok():
    assert read_reply("d\nb", ["a", "b", "c", "d"], wanted=2).status == "ok"
    assert read_reply("d\nb\na\nc", ["a", "b", "c", "d"]).status == "ok"


@pytest.mark.parametrize(
    ("text", "finish", "reason"),
    [
        ("", "stop", "empty"),
        (" \n\t", None, "empty"),
        ("", "content_filter", "content_filter"),
        ("<think>a b c", "length", "reasoning_only"),
        ("<think>a</think>\n", "stop", "reasoning_only"),
        ("nothing here", "stop", "no_candidate"),
    ],
)
def test_a_failed_reply_says_why(text, finish, reason):
    reading = read_reply(text, ABC, finish_reason=finish)
    assert (reading.status, reading.reason, reading.order) == ("failed", reason, (0, 1, 2))
    assert reading.message.endswith(".")


def test_a_repeated_candidate_id_is_ranked_once():
    reading = read_reply("b\na\nb", ["a", "b", "b"])
    assert (reading.order, reading.n_ranked) == ((1, 0, 2), 2)


def test_no_candidates_is_no_failure():
    assert read_reply("anything", []).order == ()


IDS = st.sampled_from(
    [
        [],
        ["a"],
        ["a", "b"],
        ["1", "2", "10"],
        ["x y", "x", "y"],
        ["#", "[1]", "`", "\x00", ""],
        ["ß", "SS", "ss"],
        ["a", "a", "b"],
        [" a", "a"],
        ["1", "01", "１"],
        ["id", "item_id", "rank"],
        ["```", "{", '"', "\n"],
        ["\ud800"],
    ]
)
SCRAPS = st.sampled_from(
    [
        "```",
        "```json\n",
        "~~~\n",
        "[",
        "]",
        "{",
        "}",
        '"',
        "'",
        ",",
        ":",
        "\n",
        "\r\n",
        "|",
        "---",
        "1. ",
        "- ",
        "> ",
        "<think>",
        "</think>",
        "<answer>",
        "<|x|>",
        "**",
        "`",
        "\\",
        "\t",
        "a",
        "b",
        "1",
        "2",
        "10",
        "id",
        "item_id",
        "&amp;",
        "\ufeff",
        "\u200b",
        "１",
        "ß",
        "null",
        "1e999",
        "NaN",
        "//",
        "/*",
        " > ",
        "→",
        "rank",
        "�",
        "\x00",
    ]
)
TEXTS = st.one_of(
    st.text(max_size=60),
    st.binary(max_size=80).map(lambda raw: raw.decode("utf-8", "replace")),
    st.binary(max_size=60).map(lambda raw: raw.decode("latin-1")),
    st.lists(SCRAPS, max_size=30).map("".join),
)


@settings(max_examples=10_000, deadline=None)
@given(TEXTS, IDS, st.booleans(), st.sampled_from([None, "stop", "length", "content_filter", "?"]))
def test_whatever_comes_in_a_permutation_comes_out(text, ids, with_aliases, finish):
    aliases = [str(n) for n in range(1, len(ids) + 1)] if with_aliases else None
    reading = read_reply(text, ids, aliases=aliases, finish_reason=finish)
    assert sorted(reading.order) == list(range(len(ids)))
    assert 0 <= reading.n_ranked <= len(ids)
    assert reading.order[reading.n_ranked :] == tuple(sorted(reading.order[reading.n_ranked :]))
    assert (reading.status == "failed") == (reading.n_ranked == 0 and len(ids) > 0)


@settings(max_examples=200, deadline=None)
@given(TEXTS, IDS)
def test_the_same_reply_is_read_the_same_way(text, ids):
    assert read_reply(text, ids) == read_reply(text, ids)


TWO_MEGABYTES = 2 * 1024 * 1024


@pytest.mark.parametrize(
    "unit",
    [
        "[",
        "{",
        '["',
        "[[1],",
        '{"a":',
        "a,",
        "a\n",
        "zz9,q\n",
        "1. **zz** - no\n",
        "```\n",
        "```json\n[1\n```\n",
        "- ",
        "|",
        "-",
        "<think>",
        "<answer>",
        '"',
        "'",
        "\\",
        "a > ",
        " ",
        "\t",
        ": [",
        "ä–&amp;\n",
        "(((",
        "1.",
        "//",
        "/*",
        "\u200b",
        "x" * 5000 + "\n",
        ",,,,\n",
        "<|a",
        "é, “b” – c; d\n",
        "| a | b |\n|---|---|\n",
        '{"id":"a"}\n',
        '{"q":[{"q":["q"]}]}\n',
        "=[",
        "[x:y",
        "'a",
    ],
)
def test_two_megabytes_are_read_in_time_that_grows_with_the_text(unit):
    """What grows with its square takes minutes at this size."""
    ids = [f"candidate-{n}" for n in range(100)] + ["a"]
    text = unit * (TWO_MEGABYTES // len(unit))
    started = time.process_time()  # not the wall's: what other processes do must not decide this
    reading = read_reply(text, ids)
    spent_s = time.process_time() - started
    assert sorted(reading.order) == list(range(101))
    assert spent_s < 10.0, f"{spent_s:.2f} s for {unit!r}"
