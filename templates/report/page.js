"use strict";
// Filters, sorts and opens what the page holds. Without it everything is there, open, in the order of the run.
(() => {
  const root = document.documentElement;
  const all = (selector, from = document) => [...from.querySelectorAll(selector)];
  root.classList.add("js");

  // Light or dark: the system's choice until the reader makes one.
  const theme = document.getElementById("theme");
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const memory = { get: () => { try { return localStorage.getItem("gilgen-theme"); } catch { return null; } },
    set: (value) => { try { localStorage.setItem("gilgen-theme", value); } catch { /* a page from a file may have none */ } } };
  const isDark = () => (root.style.colorScheme || (dark.matches ? "dark" : "light")) === "dark";
  const label = () => { theme.textContent = isDark() ? "Light" : "Dark"; theme.setAttribute("aria-label", `Switch to ${isDark() ? "light" : "dark"} colours`); };
  const stored = memory.get();
  if (stored === "light" || stored === "dark") root.style.colorScheme = stored;
  theme.addEventListener("click", () => { root.style.colorScheme = isDark() ? "light" : "dark"; memory.set(root.style.colorScheme); label(); });
  dark.addEventListener("change", label);
  label();
  let chosen = "";
  addEventListener("beforeprint", () => { chosen = root.style.colorScheme; root.style.colorScheme = ""; all("details").forEach((one) => { one.dataset.was = one.open; one.open = true; }); });
  addEventListener("afterprint", () => { root.style.colorScheme = chosen; all("details").forEach((one) => { one.open = one.dataset.was === "true"; }); });

  // A case opens to its evidence.
  const show = (button, open) => {
    button.setAttribute("aria-expanded", String(open));
    document.getElementById(button.getAttribute("aria-controls")).classList.toggle("opened", open);
  };
  all("button.open").forEach((button) => {
    show(button, false);
    button.addEventListener("click", () => show(button, button.getAttribute("aria-expanded") !== "true"));
  });
  all("button.all").forEach((button) => button.addEventListener("click", () => {
    const open = button.getAttribute("aria-pressed") !== "true";
    button.setAttribute("aria-pressed", String(open));
    button.textContent = open ? "Close all" : "Open all";
    all("button.open").forEach((one) => show(one, open));
  }));

  // Tables that filter. What is searched is the row as it is read, without the evidence.
  const filters = new Map();
  all(".filters").forEach((box) => {
    const table = document.getElementById(box.dataset.for);
    const items = all("[data-item]", table).map((element) => ({ element, text: (element.rows ? element.rows[0] : element).textContent.toLowerCase() }));
    const find = box.querySelector(".find");
    const picks = all(".pick", box);
    const update = () => {
      const words = find.value.toLowerCase().split(/\s+/).filter(Boolean);
      let shown = 0;
      items.forEach(({ element, text }) => {
        const fits = words.every((word) => text.includes(word)) && picks.every((pick) => !pick.value || element.dataset[pick.dataset.field] === pick.value);
        element.hidden = !fits;
        shown += fits;
      });
      box.querySelector(".count").textContent = `${shown} of ${items.length}`;
    };
    box.addEventListener("input", update);
    filters.set(table, () => { find.value = ""; picks.forEach((pick) => { pick.value = ""; }); update(); });
    update();
  });

  // Columns that sort: up, down.
  all("button.sort").forEach((button) => button.addEventListener("click", () => {
    const head = button.closest("th");
    const table = head.closest("table");
    const column = head.cellIndex;
    const first = head.dataset.kind === "number" ? "descending" : "ascending";
    const order = head.getAttribute("aria-sort") === first ? (first === "ascending" ? "descending" : "ascending") : first;
    all("th[aria-sort]", table).forEach((one) => one.setAttribute("aria-sort", one === head ? order : "none"));
    const value = (item) => {
      const cell = (item.rows ? item.rows[0] : item).cells[column];
      return head.dataset.kind === "number" ? Number(cell.dataset.value) : cell.textContent.trim().toLowerCase();
    };
    const items = all("[data-item]", table).map((element) => ({ element, key: value(element) }));
    const turn = order === "ascending" ? 1 : -1;
    items.sort((a, b) => turn * (a.key < b.key ? -1 : a.key > b.key ? 1 : 0));
    const parent = items.length ? items[0].element.parentNode : null;
    if (parent) parent.append(...items.map(({ element }) => element));
  }));

  // A link to a row shows that row, whatever is filtered or closed.
  const follow = () => {
    const target = location.hash.length > 1 ? document.getElementById(decodeURIComponent(location.hash.slice(1))) : null;
    if (!target || !target.matches("[data-item]")) return;
    if (target.hidden) filters.get(target.closest("table"))();
    const button = target.querySelector("button.open");
    if (button) show(button, true);
    target.scrollIntoView({ block: "center" });
    (button || target).focus({ preventScroll: true });
  };
  addEventListener("hashchange", follow);
  document.addEventListener("click", (event) => {
    const link = event.target.closest && event.target.closest("a");
    if (link && link.getAttribute("href") === location.hash) follow();
  });
  follow();

  // Drawings with links: one stop for the tab key, arrows from link to link. What the map is pointed at is named below it.
  const pointed = document.getElementById("pointed");
  all(".map svg, .rows svg").forEach((map) => {
    const cells = all("a", map);
    const place = (cell) => { const box = cell.getBoundingClientRect(); return [box.x + box.width / 2, box.y + box.height / 2]; };
    const stop = (index) => { cells.forEach((cell, other) => cell.setAttribute("tabindex", other === index ? "0" : "-1")); };
    const name = (cell) => { if (pointed && cell.hasAttribute("aria-label")) pointed.textContent = cell.getAttribute("aria-label"); };
    const towards = { ArrowRight: [1, 0], ArrowLeft: [-1, 0], ArrowDown: [0, 1], ArrowUp: [0, -1] };
    stop(0);
    map.addEventListener("keydown", (event) => {
      const way = towards[event.key];
      const from = cells.indexOf(document.activeElement);
      if (!way || from < 0) return;
      event.preventDefault();
      const places = cells.map(place);
      let best = -1;
      let least = Infinity;
      places.forEach(([x, y], index) => {
        const along = (x - places[from][0]) * way[0] + (y - places[from][1]) * way[1];
        const aside = Math.abs((x - places[from][0]) * way[1]) + Math.abs((y - places[from][1]) * way[0]);
        if (along > 1 && along + 3 * aside < least) { least = along + 3 * aside; best = index; }
      });
      if (best >= 0) { stop(best); cells[best].focus(); }
    });
    map.addEventListener("focusin", (event) => { const cell = event.target.closest("a"); if (cell) name(cell); });
    map.addEventListener("pointerover", (event) => { const cell = event.target.closest("a"); if (cell) name(cell); });
  });
})();
