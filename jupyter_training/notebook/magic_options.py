"""What the magics understand besides the options of every job."""

from __future__ import annotations

from jupyter_training.notebook.options import (
    Parser,
    add_directory_option,
    add_job_options,
    add_notebook_options,
    variables,
)


def train_parser() -> Parser:
    """``%%train``: the options of a job, what goes in and out, and of which pipeline it is."""
    parser = Parser(
        prog="%%train",
        description=(
            "Submit this cell as a training job. It runs away from the kernel, in the same Python\n"
            "environment, and can import from the notebook's directory.\n\n"
            "%train [options] script.py [arguments] does the same with a script; options for the\n"
            "job stand before the script, and what follows it belongs to the script.\n\n"
            "%train --notebook [-p lr 0.1] submits this notebook, as it was saved."
        ),
    )
    add_job_options(parser)
    add_directory_option(parser)
    values = parser.add_argument_group("what goes in and out")
    values.add_argument(
        "--in",
        dest="ins",
        type=variables,
        action="extend",
        default=[],
        metavar="A,B",
        help="variables of this notebook that the script finds",
    )
    values.add_argument(
        "--out",
        dest="outs",
        type=variables,
        action="extend",
        default=[],
        metavar="C",
        help="variables of the script that job.result() gives back",
    )
    parser.add_argument("--wait", action="store_true", help="wait until it has ended")
    parser.add_argument(
        "--dry-run", action="store_true", help="only check it and tell where it would run"
    )
    stages = parser.add_argument_group("as a stage of a pipeline, which %%train_pipeline submits")
    stages.add_argument("--stage", metavar="S", help="what the other stages call it")
    stages.add_argument(
        "--after",
        action="append",
        default=[],
        metavar="S",
        help="the stage whose results it needs; may be given several times, or with commas",
    )
    stages.add_argument(
        "--pipeline", metavar="S", help="of which pipeline (default: the notebook's name)"
    )
    return parser


def script_parser() -> Parser:
    """``%train``: the same, and a script."""
    parser = train_parser()
    parser.prog = "%train"
    parser.add_argument("--notebook", action="store_true", help="submit this notebook itself")
    add_notebook_options(parser)
    parser.add_argument("script", nargs="?", help="a script, a notebook or a program")
    parser.add_argument("arguments", nargs="...", help="what it gets")
    return parser


def pipeline_parser() -> Parser:
    """``%train_pipeline``."""
    parser = Parser(
        prog="%train_pipeline",
        description=(
            "Submit the stages that the cells with %%train --stage have described, as one\n"
            "pipeline. A cell that is run again takes the place of what it was before. What the\n"
            "options say holds for each stage that says nothing else."
        ),
    )
    parser.add_argument("pipeline", nargs="?", help="which one (default: that of the last stage)")
    parser.add_argument("--show", action="store_true", help="only show its stages")
    parser.add_argument("--forget", action="store_true", help="only forget its stages")
    parser.add_argument(
        "--cache", action="store_true", help="leave out stages that an earlier run has done"
    )
    add_job_options(parser)
    parser.add_argument("--wait", action="store_true", help="wait until it has ended")
    parser.add_argument(
        "--dry-run", action="store_true", help="only check it and tell where it would run"
    )
    return parser


def job_parser(prog: str, description: str) -> Parser:
    """A magic that is about one job."""
    parser = Parser(prog=prog, description=description)
    parser.add_argument("job", metavar="JOB", help="its name, id or number")
    return parser
