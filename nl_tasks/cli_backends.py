"""`nl-tasks backends`: the sparse-attention methods."""

from typing import Annotated

import typer


def list_backends(as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False) -> None:
    """List the sparse-attention methods: phase, unit, estimator, allocation, parameters, citation.

    A method is given by sparsity= or by its own budget (marked *), as quest:sparsity=0.9 or quest:tokens=512.

    Example: nl-tasks backends
    """
    import json

    try:
        from nl_tasks.backends import describe_backends
    except ImportError as error:
        raise ValueError(f"nl-tasks backends needs {error.name}: pip install 'nl-tasks[sparse]'") from None

    described = describe_backends()
    if as_json:
        print(json.dumps([backend.as_json() for backend in described], indent=2, ensure_ascii=False))
        return
    for backend in described:
        print(f"{backend.name} ({backend.phase})")
        print(f"  {backend.summary}")
        print(
            f"  unit: {backend.unit}; estimator: {backend.estimator}; allocation: {backend.allocation}; "
            f"cache: {backend.cache}"
        )
        for parameter in backend.parameters:
            if parameter.name != "sparsity":  # all have it, and none a default
                mark = "*" if parameter.is_budget else ""
                print(f"    {parameter.name}{mark} = {parameter.default}: {parameter.kind.removesuffix(' | None')}")
        print(f"  {backend.citation}")
        print()
    print("All take sparsity= in place of what is marked *.")
