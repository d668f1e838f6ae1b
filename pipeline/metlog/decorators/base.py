"""What all lazy decorators share: Python reads them before the application has read its configuration.

So the choice between the instrumented call and the plain one is made at the first call that finds a client with a
sender. Until then the function runs as if it were not decorated.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from typing import Self, cast

from pipeline.metlog.arguments import collect_names
from pipeline.metlog.client import MetlogClient
from pipeline.metlog.decorators.util import return_fq_name
from pipeline.metlog.registry import CLIENT_HOLDER, DISABLED
from pipeline.metlog.wrapping import Function, relay

Key = tuple[type["MetlogDecorator"], tuple[object, ...] | None, str | None]


class MetlogDecorator:
    """A decorator with or without arguments, for functions and methods of any kind.

    A subclass says in `metlog_call` what is done instead of calling `_fn`; `args` and `kwargs` are those of the
    decorator, both None if it was written without. `client`, or else `client_name`, says which client it uses, or else
    it is the default one. What it makes is a function with `_metlog_decorators`, a set of (class, args, kwargs as
    JSON) for each decorator on it, which tests can look at.
    """

    def __new__(cls, *args: object, **kwargs: object) -> Self:
        """Return the decorated function at once, where the decorator is written without arguments."""
        decorator = super().__new__(cls)
        if is_bare(args, kwargs):
            decorator.__init__(*args, **kwargs)  # type: ignore[misc]
            return cast(Self, decorator.decorate(cast(Function, args[0])))
        return decorator

    def __init__(
        self, *args: object, client: MetlogClient | None = None, client_name: str = "", **kwargs: object
    ) -> None:
        bare = is_bare(args, kwargs)
        self.args: tuple[object, ...] | None = None if bare else args
        self.kwargs: dict[str, object] | None = None if bare else kwargs
        self.client_name = client_name
        self._client = client
        self._chosen: Function | None = None
        self._fn: Function
        self._fn_fq_name = ""

    def __call__(self, function: Function) -> Function:
        """Decorate a function."""
        return self.decorate(function)

    def decorate(self, function: Function) -> Function:
        """Return a function of the same kind that chooses what to do when it is called."""
        if isinstance(function, staticmethod | classmethod):
            return type(function)(self.decorate(function.__func__))
        if not callable(function):
            raise ValueError("A decorator is for what can be called, and nothing else.")
        own = copy.copy(self)  # one decorator may be put on several functions
        own.set_fn(function)
        decorated = relay(function, own.run)
        decorated.__dict__["_metlog_decorators"] = own.find_chain()
        return decorated

    def set_fn(self, function: Function) -> None:
        """Take the function that is decorated."""
        self._fn = function
        self._fn_fq_name = return_fq_name(function)

    def find_chain(self) -> set[Key]:
        """Return what identifies this decorator, and those below it."""
        kwargs = None if self.kwargs is None else json.dumps(self.kwargs, sort_keys=True, default=repr)
        below: set[Key] = getattr(self._fn, "_metlog_decorators", set())
        return {(type(self), self.args, kwargs), *below}

    @property
    def decorator_name(self) -> str:
        """The name that the global option `disabled_decorators` knows it by."""
        return type(self).__name__

    @property
    def client(self) -> MetlogClient | None:
        """The client that is used; None while there is none."""
        if self._client is not None:
            return self._client
        if self.client_name:
            return CLIENT_HOLDER.get_client(self.client_name)
        return CLIENT_HOLDER.default_client

    def predicate(self) -> bool:
        """Tell whether calls are to be instrumented. It is asked once."""
        disabled = CLIENT_HOLDER.global_config.get(DISABLED)
        return self.decorator_name not in collect_names(cast("list[str]", disabled))

    def metlog_call(self, *args: object, **kwargs: object) -> object:
        """Call the function, and do what the decorator is for."""
        raise NotImplementedError

    def _invoke(self, *args: object, **kwargs: object) -> object:
        return self._fn(*args, **kwargs)

    def run(self, *args: object, **kwargs: object) -> object:
        """Call the function, as was chosen, or choose first."""
        if self._chosen is None:
            client = self.client
            if client is None or not client.is_active:
                return self._fn(*args, **kwargs)
            self._chosen = self.metlog_call if self.predicate() else self._fn
        return self._chosen(*args, **kwargs)


def is_bare(args: tuple[object, ...], kwargs: dict[str, object]) -> bool:
    """Tell whether a decorator got a function, and nothing but the client to use."""
    others = kwargs.keys() - {"client", "client_name"}
    return len(args) == 1 and not others and isinstance(args[0], Callable | classmethod)  # type: ignore[arg-type]
