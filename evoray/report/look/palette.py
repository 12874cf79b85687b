"""The colours of every page, light and dark, in one place: styles and figures name them as CSS variables."""

LIGHT = {
    "ink": "#1f2933",
    "grey": "#52606d",
    "mean": "#616e7c",
    "line": "#d5dbe1",
    "edge": "#6e7781",
    "back": "#f5f7f9",
    "paper": "#ffffff",
    "shade": "#00000033",
    "parent": "#b4451f",
    "best": "#1f5fa8",
    "good": "#1a7a4c",
    "bad": "#b3261e",
}
"""Of texts ``ink`` and ``grey``; ``edge`` is of controls, 3:1; the last four are apart in grey print too."""
DARK = {
    "ink": "#e6eaee",
    "grey": "#a9b4bf",
    "mean": "#a9b4be",
    "line": "#3a444e",
    "edge": "#7d8894",
    "back": "#12171c",
    "paper": "#1b2229",
    "shade": "#000000aa",
    "parent": "#ff9a76",
    "best": "#7db8ff",
    "good": "#63d297",
    "bad": "#ff8f87",
}
THEMES = ':is([data-jp-theme-light="false"], .vscode-dark, [theme="dark"])'
"""What stands around a notebook's output where its theme is dark: JupyterLab, VS Code, Colab. What the system prefers
says nothing there."""


def of_page() -> str:
    """CSS of a whole page: it follows what the reader's system prefers, and prints in the light colours."""
    dark = f"@media screen and (prefers-color-scheme: dark) {{ :root {{ {_variables(DARK)} }} }}"
    return f":root {{ color-scheme: light dark; {_variables(LIGHT)} }}\n{dark}"


def of_part(selector: str) -> str:
    """CSS of a part of somebody's notebook: it follows the notebook's theme."""
    return f"{selector} {{ {_variables(LIGHT)} }}\n{THEMES} {selector} {{ {_variables(DARK)} }}"


def _variables(colours: dict[str, str]) -> str:
    return " ".join(f"--{name}: {value};" for name, value in colours.items())
