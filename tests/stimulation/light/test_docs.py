"""The YAML of the page about light builds, and what the page says about it holds."""

import re
from pathlib import Path

import pytest
import yaml
from axonlight.stimulation import Clock
from axonlight.stimulation.light import LightState, build_light

PAGE = Path(__file__).parents[3] / "docs" / "light.md"
BLOCKS = [yaml.safe_load(text) for text in re.findall(r"```yaml\n(.*?)```", PAGE.read_text(), re.DOTALL)]
LIGHTS = [block[0]["light"] if isinstance(block, list) else block for block in BLOCKS]


@pytest.mark.parametrize("plain", LIGHTS, ids=str)
def test_every_block_builds(plain):
    assert build_light(plain) != build_light()


def test_every_part_is_shown():
    shown = {key for plain in LIGHTS for key in plain}
    assert shown == {"window", "once", "pulse", "ramp", "sine", "strength", "probability", "closed_loop"}


def test_the_trigger_of_the_page_does_what_the_page_says():
    trigger = next(plain for plain in LIGHTS if "refractory" in plain.get("closed_loop", {}))
    light, state = build_light(trigger), LightState()
    lit = [step for step in range(400) if light.intensity(Clock(step=step, loss=3.0), state)]
    assert lit == [*range(2, 22), *range(74, 94), *range(146, 166)]
