"""Name -> model class: one of this package, or your own by the module that defines it."""

import importlib
from typing import Type

import asteroid.models

from ..errors import XSchemeError
from .bridged_models import BridgedModel
from .conv_tasnet import XConvTasNet
from .folded_x_d3net import XD3Net
from .x_scheme import XScheme, XSchemeOfMagnitudes
from .x_umx import XUMX

#: The architectures by the name that asteroid and the options give them.
ARCHITECTURES = {
    model.__name__: model for model in (XUMX, XD3Net, XConvTasNet, XScheme, XSchemeOfMagnitudes)
}


def find_model(name: str) -> Type[BridgedModel]:
    """The class of a model.

    Args:
        name: One of `ARCHITECTURES`, or "module:Class" of your own bridged model. The module
            is imported and the class registered with asteroid, so that its files can be read.

    Raises:
        XSchemeError: If there is no bridged model with that name.
    """
    if name in ARCHITECTURES:
        return ARCHITECTURES[name]
    module, _, class_name = name.partition(":")
    if not (module and class_name) or module.startswith("."):
        raise XSchemeError(
            f"Expected one of {', '.join(ARCHITECTURES)}, or module:Class for your own model, got "
            f"{name!r}."
        )
    try:
        found = getattr(importlib.import_module(module), class_name)
    except (ImportError, AttributeError) as error:
        raise XSchemeError(f"There is no model {name}: {error}.") from error
    if not (isinstance(found, type) and issubclass(found, BridgedModel)):
        raise XSchemeError(f"Expected a subclass of BridgedModel, but {name} is {found!r}.")
    if vars(asteroid.models).get(class_name) is not found:
        asteroid.models.register_model(found)
    return found
