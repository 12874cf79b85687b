from __future__ import annotations

import sys

import pytest

from evoray.errors import ConfigError
from evoray.runtime.importing import import_function


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A configuration's folder with modules of a user's; what is imported from it is forgotten afterwards."""
    monkeypatch.setattr(sys, "path", sys.path[:])
    before = set(sys.modules)
    yield tmp_path
    for name in set(sys.modules) - before:
        del sys.modules[name]


def test_a_function_of_an_installed_module_is_found():
    import math

    assert import_function("math:sqrt") is math.sqrt


def test_a_function_of_a_class_and_of_a_package_is_found(folder):
    (folder / "user_pack").mkdir()
    (folder / "user_pack" / "__init__.py").touch()
    (folder / "user_pack" / "parts.py").write_text(
        "class Maker:\n    @staticmethod\n    def make():\n        return 7\n"
    )
    assert import_function("user_pack.parts:Maker.make", folder)() == 7


def test_the_folder_is_searched_first_and_added_once(folder):
    (folder / "user_first.py").write_text("def f(): return 'own'\n")
    for _ in range(3):
        assert import_function("user_first:f", folder)() == "own"
    assert sys.path.count(str(folder)) == 1 and sys.path[0] == str(folder)


def test_without_a_folder_nothing_is_added():
    before = sys.path[:]
    import_function("math:sqrt")
    assert sys.path == before


@pytest.mark.parametrize("name", ["", ":", "module", "module:", ":function", "package.module.function"])
def test_a_name_of_another_form_is_refused(name):
    with pytest.raises(ConfigError, match=r"write it as package\.module:function"):
        import_function(name)


def test_a_missing_module_is_named_with_the_folder_to_put_it_into(folder):
    with pytest.raises(ConfigError, match=r'"user_absent:f": no module user_absent\. Put it into') as raised:
        import_function("user_absent:f", folder)
    assert str(folder) in str(raised.value)


def test_a_module_that_the_users_module_lacks_is_the_one_named(folder):
    (folder / "user_needs.py").write_text("import user_dependency\n")
    with pytest.raises(ConfigError, match=r'"user_needs:f": no module user_dependency\.'):
        import_function("user_needs:f", folder)


def test_a_missing_function_is_named(folder):
    (folder / "user_some.py").write_text("def g(): pass\n")
    with pytest.raises(ConfigError, match=r'"user_some:f": the module user_some has no f\.'):
        import_function("user_some:f", folder)


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("def f(:\n", "importing it raised SyntaxError"),
        ("1 / 0\n", "importing it raised ZeroDivisionError: division by zero"),
        ("raise ValueError('no data')\n", "importing it raised ValueError: no data"),
    ],
)
def test_what_a_module_raises_is_told_and_kept_as_the_cause(code, message, folder):
    name = f"user_raises_{abs(hash(code))}"
    (folder / f"{name}.py").write_text(code)
    with pytest.raises(ConfigError, match=message) as raised:
        import_function(f"{name}:f", folder)
    assert raised.value.__cause__ is not None
