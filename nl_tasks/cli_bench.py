"""`nl-tasks bench`: measurements, each against the fastest alternative in the same run."""

from typing import Annotated

import typer

bench = typer.Typer(
    help="Measure speed here and now.\n\nExample: nl-tasks bench generate --len 128k", no_args_is_help=True
)


@bench.callback()
def _group() -> None:
    """Keep `generate` a sub-command also while it is the only one."""


@bench.command()
def generate(
    tasks: Annotated[
        list[str] | None, typer.Argument(help="Tasks; all by default that need no source.", show_default=False)
    ] = None,
    lengths: Annotated[str, typer.Option("--len", help="Lengths, comma-separated.")] = "8k,32k,128k,1m",
    tokenizer: Annotated[str, typer.Option(help="As for `nl-tasks generate`.")] = "tekken",
    n: Annotated[int, typer.Option("-n", min=1, help="Samples a row; the median counts.")] = 10,
    settings: Annotated[
        list[str] | None, typer.Option("--set", metavar="KNOB=VALUE", help="As for `nl-tasks generate`.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON line for each row.")] = False,
) -> None:
    """Samples a second on one core, and the ratio to encoding the finished prompt once.

    Samples/s, tokens/s and the ratio go by processor time.

    Example: nl-tasks bench generate story_multihop --len 128k

    Example: nl-tasks bench generate qa_toefl --len 128k --set source=toeflqa.jsonl
    """
    import json

    from nl_tasks.bench_generate import bench_generate
    from nl_tasks.generators.lengths import format_length, parse_length
    from nl_tasks.generators.task import knob_types, task_types
    from nl_tasks.knobs import make_tasks

    free = [name for name, cls in task_types().items() if "source" not in knob_types(cls)]
    chosen = make_tasks(tasks or free, settings or ())
    wanted = [parse_length(part) for part in lengths.split(",")]
    if not as_json:
        heads = f"{'samples/s':>11}{'on the wall':>13}{'tokens/s':>11}{'encode ms':>11}{'ratio':>7}"
        print(f"{'task':<18}{'length':>8}{heads}   {tokenizer}")
    for pace in bench_generate(chosen, wanted, tokenizer, n=n):
        if as_json:
            print(json.dumps(pace.row()), flush=True)
            continue
        speed, wall = pace.samples_per_second, pace.wall_samples_per_second
        figures = f"{speed:>11.1f}{wall:>13.1f}{speed * pace.tokens:>11.3g}{pace.encode_ms:>11.2f}{pace.ratio:>7.2f}"
        print(f"{pace.task:<18}{format_length(pace.tokens):>8}{figures}", flush=True)


@bench.command()
def prefill(
    lengths: Annotated[
        str, typer.Option("--len", "--lengths", help="Lengths, comma-separated.")
    ] = "2k,4k,8k,16k,32k,64k,128k,256k",
    methods: Annotated[
        str | None,
        typer.Option(help="Backends without spaces, separated by spaces; fast ones by default.", show_default=False),
    ] = None,
    sparsities: Annotated[str, typer.Option(help="For methods that name no budget.")] = "0.5,0.8,0.9,0.95",
    dense: Annotated[
        list[str] | None,
        typer.Option(help="Dense kernel to compare with; by default all there are.", show_default=False),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON line for each row.")] = False,
) -> None:
    """One layer's attention to a prompt: selection, kernel and both, against the fastest dense kernel of the run.

    Also from which length on each method is faster than dense attention.

    Example: nl-tasks bench prefill --len 32k,128k --methods "vertical_slash block_sparse:block=128"
    """
    try:
        from nl_tasks import bench_prefill
    except ImportError as error:
        raise ValueError(f"bench prefill needs {error.name}: pip install 'nl-tasks[sparse]'") from None
    from nl_tasks.generators.lengths import parse_length

    wanted = [parse_length(part) for part in lengths.split(",")]
    try:
        shares = [float(part) for part in sparsities.split(",")]
    except ValueError:
        raise ValueError(f"--sparsities {sparsities!r}: write numbers, as 0.5,0.9") from None
    bench_prefill.run(wanted, methods.split() if methods else bench_prefill.METHODS, shares, (), dense or (), as_json)


@bench.command()
def decode(
    lengths: Annotated[str, typer.Option("--len", help="Lengths, comma-separated.")] = "8k,32k,64k,128k,256k,1m",
    method: Annotated[
        list[str] | None, typer.Option(help="quest, snapkv, ...; all by default.", show_default=False)
    ] = None,
    batch: Annotated[int, typer.Option(min=1, help="Sequences that generate together.")] = 1,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON line for each row.")] = False,
) -> None:
    """One generated token's attention in CUDA graphs, dense and sparse, and from which length on sparse is faster.

    Example: nl-tasks bench decode --len 8k,128k
    """
    try:
        from nl_tasks import bench_decode
    except ImportError as error:
        raise ValueError(f"bench decode needs {error.name}: pip install 'nl-tasks[sparse]'") from None
    arguments = ["--len", lengths, "--batch", str(batch), *(["--json"] if as_json else [])]
    for name in method or ():
        arguments += ["--method", name]
    bench_decode.main(arguments)
