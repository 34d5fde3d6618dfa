// Light or dark, as the machine is set; before the first paint, so that nothing flashes.
document.documentElement.dataset.bsTheme = matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
