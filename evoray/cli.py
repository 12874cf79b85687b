"""The command line: parses, draws progress, prints; everything it does is a function of the library."""

from evoray.commands.begin.check import check
from evoray.commands.begin.doctor import doctor
from evoray.commands.begin.explain import explain
from evoray.commands.begin.init import init
from evoray.commands.begin.schema import schema
from evoray.commands.begin.version import version
from evoray.commands.bench import bench
from evoray.commands.common import guarded
from evoray.commands.data import data
from evoray.commands.export import export, rebuild
from evoray.commands.run import demo, run
from evoray.commands.runs import compare, runs
from evoray.commands.serve import serve
from evoray.commands.show import report, show
from evoray.commands.submit import submit
from evoray.commands.terminal.help import App
from evoray.commands.watch import watch
from evoray.commands.window import window

app = App(
    help="Fine-tune networks without gradients, by sparse mutations judged on your data, on any Ray cluster.",
    no_args_is_help=True,
)


app.callback()(version)
app.command("demo")(demo)
app.command("init")(init)
app.command("check")(check)
app.command("run")(run)
app.command("watch")(watch)
app.command("show")(show)
app.command("runs")(runs)
app.command("compare")(compare)
app.command("report")(report)
app.command("export")(export)
app.command("rebuild")(rebuild)
app.command("serve")(serve)
app.command("window")(window)
app.command("submit")(submit)
app.command("explain")(explain)
app.command("schema")(schema)
app.command("doctor")(doctor)
app.add_typer(data, name="data")
app.add_typer(bench, name="bench")


def main() -> None:
    """Entry point."""
    guarded(app)


if __name__ == "__main__":
    main()
