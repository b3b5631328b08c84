"""Mangled names taken apart: the tricky ones, and anything at all."""

from __future__ import annotations

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gilgen import demangle
from gilgen.demangle import Member, carrier, member, normal, split


@pytest.mark.parametrize(
    ("symbol", "expected"),
    [
        ("_ZN3itk15ImageFileWriterINS_5ImageIfLj3EEEE5WriteEv", Member("itk::ImageFileWriter<itk::Image<float, 3u> >", "itk::ImageFileWriter", "Write", (), const=False)),
        ("_ZN3itk5ImageIhLj2EE10FillBufferERKh", Member("itk::Image<unsigned char, 2u>", "itk::Image", "FillBuffer", ("unsigned char const&",), const=False)),
        ("_ZNK3itk5ImageIhLj2EE8AllocateEb", Member("itk::Image<unsigned char, 2u>", "itk::Image", "Allocate", ("bool",), const=True)),
        ("_ZN5OuterIiE5InnerIdE4callEiPKd", Member("Outer<int>::Inner<double>", "Outer::Inner", "call", ("int", "double const*"), const=False)),
        ("_ZN3FooIXgtLi3ELi2EEE3barEv", None),
        ("_ZN1AIFviEE1bEPFvdE", Member("A<void (int)>", "A", "b", ("void (*)(double)",), const=False)),
        ("_ZN3FooIiE4nameB5cxx11Ev", Member("Foo<int>", "Foo", "name", (), const=False)),
    ],
)
def test_members(symbol, expected):
    found = member(symbol)
    if expected is not None:
        assert found == expected


@pytest.mark.parametrize(
    "symbol", ["", "main", "_Z", "_Z4freev", "_ZN3FooIiEcvdEv", "_ZN3FooIiE6methodIdEEvT_", "_ZTV3Foo", "_ZN3FooIiEltERKS0_", "_ZN12_GLOBAL__N_1E"],
)
def test_what_is_no_ordinary_member_is_none_or_at_least_no_error(symbol):
    found = member(symbol)
    assert found is None or found.name.startswith("operator")


@given(st.text(alphabet=string.ascii_letters + string.digits + "_", max_size=40))
def test_any_symbol_gives_an_answer(text):
    for symbol in (text, "_Z" + text, "_ZN" + text + "E"):
        found = member(symbol)
        assert found is None or found.name


@pytest.mark.parametrize(
    ("text", "separator", "parts"),
    [
        ("a, b", ",", ["a", "b"]),
        ("std::map<int, std::pair<a, b> >, c", ",", ["std::map<int, std::pair<a, b> >", "c"]),
        ("void (*)(int, double), char[3]", ",", ["void (*)(int, double)", "char[3]"]),
        ("itk::Image<float, 3u>::Write", "::", ["itk", "Image<float, 3u>", "Write"]),
        ("A<B::C>::D(E::F)", "::", ["A<B::C>", "D(E::F)"]),
        ("", ",", [""]),
        (",", ",", ["", ""]),
    ],
)
def test_split(text, separator, parts):
    assert split(text, separator) == parts


plain = st.text(alphabet="abc:*& 12", max_size=6)
balanced = st.recursive(
    plain,
    lambda inner: st.tuples(st.sampled_from(["<>", "()", "[]"]), st.lists(inner, max_size=4), plain).map(lambda t: f"{t[2]}{t[0][0]}{','.join(t[1])}{t[0][1]}"),
    max_leaves=25,
)


@given(st.lists(balanced.map(str.strip), min_size=1, max_size=6))
def test_split_finds_what_was_joined_whatever_the_brackets_hold(parts):
    assert split(", ".join(parts), ",") == parts


@given(st.text(alphabet="<>()[],: ab", max_size=60), st.sampled_from([",", "::"]))
def test_split_loses_nothing_even_where_brackets_do_not_match(text, separator):
    assert separator.join(split(text, separator)).replace(" ", "") == text.replace(" ", "")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("itk::Image< float, 3 >", "itk::Image<float, 3u>"),
        ("std::vector<signed int>", "std::vector< int >"),
        ("A<1ul>", "A<1>"),
        ("A<signed long>", "A<long>"),
        ("A<B<int> >", "A<B<int>>"),
    ],
)
def test_spellings_of_one_type(one, other):
    assert normal(one) == normal(other)


@pytest.mark.parametrize(("one", "other"), [("unsigned int", "int"), ("signed char", "char"), ("A<1>", "A<2>"), ("int*", "int&"), ("A<10u>", "A<1u>")])
def test_types_that_differ_stay_different(one, other):
    assert normal(one) != normal(other)


@given(balanced)
def test_normal_is_settled_at_once(text):
    assert normal(normal(text)) == normal(text)


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("int", "int"), ("unsigned long long", "unsigned long long"), ("bool", "bool"), ("double", "double"), ("signed char", "signed char"),
        ("itk::Object*", "void*"), ("std::string const&", "void*"), ("int (&&)", ""), ("void (*)(int)", ""), ("std::string", ""), ("itk::Colour", ""),
        ("long double", ""), ("__int128", ""), ("", ""),
    ],
)  # fmt: skip
def test_carriers(kind, expected):
    assert carrier(kind) == expected


def test_built_in_types_are_spelled_as_the_demangler_does():
    symbols = {"b": "bool", "c": "char", "a": "signed char", "h": "unsigned char", "s": "short", "t": "unsigned short", "i": "int", "j": "unsigned int",
        "l": "long", "m": "unsigned long", "x": "long long", "y": "unsigned long long", "f": "float", "d": "double", "w": "wchar_t", "Ds": "char16_t", "Di": "char32_t"}  # fmt: skip
    assert {member(f"_ZN1AIiE1fE{letter}").parameters[0] for letter in symbols} == set(symbols.values()) == demangle.BUILT_IN
