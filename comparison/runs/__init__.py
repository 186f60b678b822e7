"""One run from a recipe: build, train, score; or many side by side."""

from .batch import execute_batch, group_runs
from .execute import execute
from .recipe import NullRecipe, Recipe, recipe_key
from .result import Result

__all__ = ["NullRecipe", "Recipe", "Result", "execute", "execute_batch", "group_runs", "recipe_key"]
