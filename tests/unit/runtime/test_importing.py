from __future__ import annotations

import hashlib
import json
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import mlxtend.data
import pytest
import torch

import evoray.errors
from evoray.errors import ConfigError, UsageError
from evoray.runtime.importing import check_code, code_of, import_function, modules_of


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


@pytest.fixture
def two(tmp_path, monkeypatch):
    """Two configurations' folders with a ``user_model.py`` and a ``user_helper.py`` each."""
    monkeypatch.setattr(sys, "path", sys.path[:])
    before = set(sys.modules)
    folders = []
    for name in ("a", "b"):
        folders.append(tmp_path / name)
        folders[-1].mkdir()
        (folders[-1] / "user_model.py").write_text("import user_helper\ndef f(): return user_helper.WHOSE\n")
        (folders[-1] / "user_helper.py").write_text(f"WHOSE = '{name}'\n")
    yield folders
    for name in set(sys.modules) - before:
        del sys.modules[name]


def test_each_folder_has_its_own_module_of_a_name(two):
    a, b = (import_function("user_model:f", folder) for folder in two)
    assert (a(), b()) == ("a", "b")


def test_a_folder_is_come_back_to_without_importing_again(two):
    first = import_function("user_model:f", two[0])
    import_function("user_model:f", two[1])
    assert import_function("user_model:f", two[0]) is first


def test_another_folders_helper_is_not_found(two):
    (two[1] / "user_helper.py").unlink()
    import_function("user_model:f", two[0])
    with pytest.raises(ConfigError, match="no module user_helper"):
        import_function("user_model:f", two[1])


def test_a_failed_import_leaves_the_other_folder_as_it_was(two):
    first = import_function("user_model:f", two[0])
    (two[1] / "user_model.py").write_text("1 / 0\n")
    with pytest.raises(ConfigError, match="ZeroDivisionError"):
        import_function("user_model:f", two[1])
    assert import_function("user_model:f", two[0]) is first
    (two[1] / "user_model.py").write_text("def f(): return 3\n")
    assert import_function("user_model:f", two[1])() == 3


def test_packages_of_one_name_are_apart(two):
    for number, folder in enumerate(two):
        (folder / "user_pack2").mkdir()
        (folder / "user_pack2" / "__init__.py").write_text("from user_pack2.part import N\n")
        (folder / "user_pack2" / "part.py").write_text(f"N = {number}\n")
        (folder / "user_asks.py").write_text("import user_pack2\ndef f(): return user_pack2.N\n")
    assert [import_function("user_asks:f", folder)() for folder in two] == [0, 1]


def test_a_file_that_changed_is_read_again(two):
    assert import_function("user_model:f", two[0])() == "a"
    (two[0] / "user_helper.py").write_text("WHOSE = 'c'\n")  # of the same length, within the same second
    assert import_function("user_model:f", two[0])() == "c"


def test_what_the_users_program_had_imported_is_put_back(two, monkeypatch):
    monkeypatch.syspath_prepend(str(two[1]))
    import user_helper as own

    assert import_function("user_model:f", two[0])() == "a"
    assert sys.modules["user_helper"] is own
    assert import_function("user_model:f", two[0])() == "a"
    import user_helper as again

    assert again is own


def test_a_module_of_the_users_program_from_the_folder_itself_is_taken(two, monkeypatch):
    monkeypatch.syspath_prepend(str(two[0]))
    import user_model

    assert import_function("user_model:f", two[0]) is user_model.f


def test_evorays_own_and_pythons_modules_are_never_shadowed(two):
    for name in ("json", "torch", "evoray"):
        (two[0] / f"{name}.py").write_text("raise RuntimeError\n")
    assert import_function("user_model:f", two[0])() == "a"
    assert import_function("json:dumps", two[0]) is json.dumps
    assert import_function("torch:nn", two[0]) is torch.nn


def test_a_folder_of_data_with_a_modules_name_is_no_module(two):
    (two[0] / "user_installed").mkdir()
    module = type(sys)("user_installed")
    sys.modules["user_installed"] = module
    import_function("user_model:f", two[0])
    assert sys.modules["user_installed"] is module


def test_blocks_nest(two):
    with modules_of(two[0]):
        with modules_of(two[1]):
            import user_helper as inner
        import user_helper as outer
    assert (inner.WHOSE, outer.WHOSE) == ("b", "a")


def test_threads_get_their_own(two):
    def ask(number):
        return import_function("user_model:f", two[number % 2])()

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(ask, range(64))) == ["a", "b"] * 32


def test_a_configuration_beside_evorays_own_folder_changes_nothing_of_it():
    with modules_of(Path(evoray.__file__).parent.parent):
        pass
    assert sys.modules["evoray.errors"] is evoray.errors


def test_the_code_of_a_folder_is_told_by_its_files(two):
    import_function("user_model:f", two[0])
    found = code_of(two[0])
    assert set(found) == {"user_model", "user_helper"}
    assert found["user_helper"] == hashlib.sha256(b"WHOSE = 'a'\n").hexdigest()


def test_an_installed_modules_code_is_its_version():
    assert code_of(None, ["mlxtend.data", "absent_module"]) == {"mlxtend.data": mlxtend.__version__}


def test_changed_code_is_refused_by_its_module(two):
    import_function("user_model:f", two[0])
    recorded = code_of(two[0])
    check_code(recorded, two[0])
    (two[0] / "user_helper.py").write_text("WHOSE = 'z'\n")
    import_function("user_model:f", two[0])
    with pytest.raises(UsageError, match=r"the code of user_helper is not what the run began with.*resume=True"):
        check_code(recorded, two[0])


def test_a_dead_link_in_the_folder_is_no_module(two):
    (two[0] / "user_dead.py").symlink_to(two[0] / "nowhere.py")
    assert import_function("user_model:f", two[0])() == "a"


@pytest.mark.parametrize("target", ["user_loop", "nowhere", "."])
def test_a_link_of_any_kind_is_no_module(two, target):
    (two[0] / "user_loop").symlink_to(target)
    assert import_function("user_model:f", two[0])() == "a"


@pytest.mark.parametrize("inside", ["", "__init__.py"])
def test_what_the_users_program_had_imported_from_the_folder_is_its_code(two, monkeypatch, inside):
    """With or without an ``__init__.py``, and though nothing in the block imports it."""
    (two[0] / "user_space").mkdir()
    (two[0] / "user_space" / "part.py").write_text("N = 1\n")
    if inside:
        (two[0] / "user_space" / inside).write_text("")
    monkeypatch.syspath_prepend(str(two[0]))
    import user_space.part

    with modules_of(two[0]):
        pass
    assert code_of(two[0])["user_space.part"] == hashlib.sha256(b"N = 1\n").hexdigest()
    import_function("user_model:f", two[1])
    assert sys.modules["user_space.part"] is user_space.part, "it stays the program's"


def test_a_module_that_takes_anothers_place_in_the_block_is_the_folders(two):
    with modules_of(two[0]):
        import user_helper as first

        del sys.modules["user_helper"]
        import user_helper as second
    with modules_of(two[1]):
        import user_helper as other
    with modules_of(two[0]):
        import user_helper as again
    assert first is not second and again is second and other.WHOSE == "b"


def test_what_a_failed_package_leaves_behind_is_read_again_once_it_changed(two):
    package = two[0] / "user_broken"
    package.mkdir()
    (package / "__init__.py").write_text("from user_broken.part import N\n1 / 0\n")
    (package / "part.py").write_text("N = 1\n")
    with pytest.raises(ConfigError, match="ZeroDivisionError"):
        import_function("user_broken:N", two[0])
    (package / "__init__.py").write_text("from user_broken.part import N\n")
    (package / "part.py").write_text("N = 2\n")
    assert import_function("user_broken:N", two[0]) == 2
