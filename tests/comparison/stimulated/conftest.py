"""Parsing a config and building a network take longer than all that is looked at here: both are done once."""

import json

import pytest
from axonlight.comparison.design import preparation

_KEPT = {}


@pytest.fixture(autouse=True, scope="package")
def built_once():
    """Keep the parser of each base and what was built without a mistake."""

    def kept(make):
        def found(*given):
            key = make.__name__ + json.dumps(given, sort_keys=True)
            if key not in _KEPT:
                _KEPT[key] = make(*given)
            return _KEPT[key]

        return found

    with pytest.MonkeyPatch.context() as patch:
        for name in ("ConfigResolver", "build_run"):
            patch.setattr(preparation, name, kept(getattr(preparation, name)))
        yield
