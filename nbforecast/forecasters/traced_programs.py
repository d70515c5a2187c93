"""Functions as JAX has traced and lowered them, kept beside the compiled ones: a new process does neither again.

A file is StableHLO, as `jax.export` serialises it. Its name has everything in it that the function depends on.
"""

from __future__ import annotations

import hashlib
import logging
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jax

from nbforecast.atomic_write import atomic_write
from nbforecast.compile_times import compiled_path
from nbforecast.device import devices

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_log = logging.getLogger("nbforecast.device")
SUFFIX = "-program"


class TracedProgram:
    """A jitted function of arrays, or of trees of them, that is traced once on a machine for each of their shapes.

    Where nothing is kept on disk, several devices share a batch, or JAX cannot serialise the function, it is an
    ordinary jitted function.
    """

    def __init__(self, function: Callable[..., Any], name: str, compiler_options: dict[str, Any] | None = None) -> None:
        """Wrap a function that has not been traced.

        Args:
            function: A pure function that returns one array.
            name: Differs from that of every other function of this version of the package.
            compiler_options: As for `jax.jit`.
        """
        self._function = function
        self._name = name
        self._options = compiler_options
        self._jitted = jax.jit(function, compiler_options=compiler_options)
        self._programs: dict[Any, Callable[..., Any] | None] = {}  # by the shapes of the arguments; None: as usual

    def __call__(self, *arguments: Any) -> Any:
        """Call the function."""
        leaves, structure = jax.tree.flatten(arguments)
        shapes = structure, tuple((leaf.shape, leaf.dtype) for leaf in leaves)
        if shapes not in self._programs:
            self._programs[shapes] = self._load(leaves, structure)
        program = self._programs[shapes]
        return self._jitted(*arguments) if program is None else program(*leaves)

    def lower(self, *arguments: Any) -> Any:
        """As the method of a jitted function."""
        return self._jitted.lower(*arguments)

    def _load(self, leaves: Sequence[Any], structure: Any) -> Callable[..., Any] | None:
        """The function of the leaves, read from disk or traced and written there."""
        shapes = [(leaf.shape, str(leaf.dtype)) for leaf in leaves]
        path = compiled_path(f"{_source_digest()} {self._name} {structure} {shapes}", SUFFIX)
        if path is None or len(devices()) > 1:
            return None
        try:
            exported = jax.export.deserialize(bytearray(path.read_bytes()))
        except FileNotFoundError:
            exported = None
        except Exception as error:
            _log.info("A traced function is traced anew: %s", error)
            exported = None
        if exported is None:
            try:
                exported = self._trace(leaves, structure)
                with atomic_write(path, 0o600) as file:
                    file.write(exported.serialize())
            except Exception as error:
                _log.info("A traced function is not kept: %s", error)
                return None
        return jax.jit(exported.call, compiler_options=self._options)

    def _trace(self, leaves: Sequence[Any], structure: Any) -> jax.export.Exported:
        def flat(*leaves: Any) -> Any:
            return self._function(*jax.tree.unflatten(structure, leaves))

        structs = [jax.ShapeDtypeStruct(leaf.shape, leaf.dtype) for leaf in leaves]
        return jax.export.export(jax.jit(flat))(*structs)


@cache
def _source_digest() -> str:
    """Differs wherever the modules do that functions are traced from."""
    folder = Path(__file__).parent
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]
