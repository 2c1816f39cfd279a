"use strict";
// Draws the page's figures, each from the JSON beside it, in the colours of the page; makes their legends of buttons,
// which a keyboard reaches; and lets the tables be sorted.
(() => {
  const TONES = JSON.parse(document.getElementById("tones").textContent);
  const THEMES = {
    light: { text: "#1f2328", grid: "#e2e5e9", raised: "#ffffff", rule: "#8b949e" },
    dark: { text: "#e4e7ea", grid: "#2c3138", raised: "#1d2126", rule: "#6b7480" },
  };
  const PRINTED = 660; // pixels: the width of a sheet of A4 or Letter between its margins
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const narrow = matchMedia("(max-width: 40rem)");
  const coarse = matchMedia("(pointer: coarse)");
  const figures = [...document.querySelectorAll("figure[data-figure]")].map((element) => ({
    element,
    plot: element.querySelector(".plot"),
    json: element.querySelector("script").textContent,
    visible: null, // of each trace, once somebody has switched one
  }));

  const toned = (json) =>
    json.replace(/(rgba?\()(\d+,\d+,\d+)/g, (all, start, rgb) => (rgb in TONES ? start + TONES[rgb] : all));

  function themed(layout, theme, printing) {
    const small = narrow.matches && !printing;
    const clear = "rgba(0,0,0,0)";
    Object.assign(layout, { paper_bgcolor: clear, plot_bgcolor: clear, showlegend: false, autosize: !printing });
    layout.font = { ...layout.font, color: theme.text, family: getComputedStyle(document.body).fontFamily };
    layout.hoverlabel = { bgcolor: theme.raised, bordercolor: theme.rule, font: { color: theme.text }, align: "left" };
    if (printing) layout.width = PRINTED;
    if (small) Object.assign(layout, { margin: { ...layout.margin, l: 48, r: 6 }, font: { ...layout.font, size: 12 } });
    if (small || coarse.matches) layout.dragmode = false; // a finger that scrolls the page must not zoom
    for (const [name, axis] of Object.entries(layout)) {
      if (!/^[xy]axis/.test(name)) continue;
      Object.assign(axis, { gridcolor: theme.grid, tickcolor: theme.grid, linecolor: theme.grid });
      if (small && axis.ticktext) name.startsWith("y") ? broken(layout, axis) : sparse(axis);
    }
    return layout;
  }

  // Names of arms in two lines.
  function broken(layout, axis) {
    const names = axis.ticktext.map((text) => text.replace(" x ", "<br>x "));
    if (names.every((name, i) => name === axis.ticktext[i])) return;
    axis.ticktext = names;
    layout.height = Math.max(layout.height, 88 + 38 * names.length);
  }

  // Only the powers of ten, if there are some.
  function sparse(axis) {
    const kept = axis.tickvals.map((value) => Math.abs(Math.log10(value) % 1) < 1e-9);
    if (kept.filter(Boolean).length < 3) return;
    for (const key of ["tickvals", "ticktext"]) axis[key] = axis[key].filter((_, i) => kept[i]);
  }

  function draw(figure, printing = false) {
    const night = dark.matches && !printing;
    const { data, layout } = JSON.parse(night ? toned(figure.json) : figure.json);
    if (figure.visible) data.forEach((trace, i) => (trace.visible = figure.visible[i]));
    figure.plot.hidden = false;
    const config = {
      responsive: true,
      displaylogo: false,
      displayModeBar: narrow.matches || coarse.matches ? false : "hover",
      modeBarButtons: [["zoom2d", "pan2d", "resetScale2d", "toImage"]],
    };
    Plotly.react(figure.plot, data, themed(layout, THEMES[night ? "dark" : "light"], printing), config);
    legend(figure, data);
  }

  function legend(figure, data) {
    const entries = new Map();
    data.forEach((trace, i) => {
      const key = trace.legendgroup || trace.name;
      if (!key) return;
      const entry = entries.get(key) || { traces: [] };
      entry.traces.push(i);
      if (trace.name && trace.showlegend !== false) Object.assign(entry, { name: trace.name, trace });
      entries.set(key, entry);
    });
    const named = [...entries.values()].filter((entry) => entry.name);
    figure.element.querySelector(".legends")?.remove();
    if (!named.length) return;
    const box = document.createElement("div");
    box.className = "legends";
    const most = narrow.matches ? 6 : 10;
    box.append(list(figure, data, named.slice(0, most)));
    if (named.length > most) {
      const more = document.createElement("details");
      const summary = document.createElement("summary");
      summary.textContent = `${named.length - most} more`;
      more.append(summary, list(figure, data, named.slice(most)));
      box.append(more);
    }
    figure.plot.before(box);
  }

  function list(figure, data, entries) {
    const found = document.createElement("ul");
    found.className = "legend";
    found.setAttribute("aria-label", "What the figure shows");
    for (const entry of entries) {
      const item = document.createElement("li");
      const button = document.createElement("button");
      button.type = "button";
      button.setAttribute("aria-pressed", String((entry.trace.visible ?? true) === true));
      button.append(swatch(entry.trace), entry.name);
      button.addEventListener("click", () => {
        const on = button.getAttribute("aria-pressed") !== "true";
        button.setAttribute("aria-pressed", String(on));
        figure.visible ??= data.map((trace) => trace.visible ?? true);
        for (const i of entry.traces) figure.visible[i] = on ? true : "legendonly";
        Plotly.restyle(figure.plot, { visible: on ? true : "legendonly" }, entry.traces);
      });
      item.append(button);
      found.append(item);
    }
    return found;
  }

  const SHAPES = {
    circle: ["circle", { cx: 13, cy: 6, r: 4 }],
    square: ["rect", { x: 9, y: 2, width: 8, height: 8 }],
    diamond: ["path", { d: "M13 0.5 18.5 6 13 11.5 7.5 6Z" }],
  };
  const DASHES = { dash: "6 3", dot: "2 2", dashdot: "6 2 2 2", longdash: "9 3", longdashdot: "9 2 2 2" };

  function swatch(trace) {
    const make = (tag, attributes) => {
      const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
      for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
      return element;
    };
    const svg = make("svg", { width: 26, height: 12, "aria-hidden": "true" });
    if (trace.mode.includes("lines")) {
      const dashes = DASHES[trace.line.dash] || "none";
      const stroke = { stroke: trace.line.color, "stroke-width": 2.5, "stroke-dasharray": dashes };
      svg.append(make("line", { x1: 0, x2: 26, y1: 6, y2: 6, ...stroke }));
    } else {
      const [symbol, open] = (trace.marker.symbol || "circle").split("-");
      const [tag, place] = SHAPES[symbol] || SHAPES.circle;
      const colour = trace.marker.color;
      svg.append(make(tag, { ...place, fill: open ? "none" : colour, stroke: colour, "stroke-width": 1.5 }));
    }
    return svg;
  }

  function sortable(table) {
    const body = table.tBodies[0];
    const all = document.getElementById("all-arms");
    [...table.tHead.rows[0].cells].forEach((head, column) => {
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = head.textContent;
      head.replaceChildren(button);
      button.addEventListener("click", () => {
        const down = head.getAttribute("aria-sort") === "ascending";
        for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
        head.setAttribute("aria-sort", down ? "descending" : "ascending");
        const key = (row) => row.cells[column].dataset.key;
        const order = (a, b) => {
          const [x, y] = [key(a), key(b)];
          if (x === "" || y === "") return (x === "") - (y === ""); // what is not known comes last, both ways
          const both = x - y;
          return (Number.isNaN(both) ? x.localeCompare(y) : both) * (down ? -1 : 1);
        };
        body.append(...[...body.rows].sort(order));
        if (all) all.checked = true;
      });
    });
  }

  const drawAll = (printing = false) => figures.forEach((figure) => draw(figure, printing));
  // One after the other, so that the page can be read and scrolled meanwhile.
  for (const figure of figures) setTimeout(() => draw(figure));
  document.querySelectorAll("table.sortable").forEach(sortable);
  for (const query of [dark, narrow]) query.addEventListener("change", () => drawAll());
  addEventListener("beforeprint", () => drawAll(true));
  addEventListener("afterprint", () => drawAll());
})();
