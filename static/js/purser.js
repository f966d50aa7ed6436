/* What pages can do a little better with script. Everything works without it. */
(() => {
  "use strict";

  /* Menus are <details>: close them on Escape and on a click elsewhere, and never two at once. */
  const close = (except) => {
    for (const menu of document.querySelectorAll("details[data-menu][open]")) {
      if (menu !== except) menu.open = false;
    }
  };
  document.addEventListener("click", (event) => close(event.target.closest("details[data-menu]")));
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    const open = document.querySelector("details[data-menu][open]");
    if (!open) return;
    close(null);
    open.querySelector("summary").focus();
  });

  /* Copy buttons appear only where copying is possible. */
  const prepare = (root) => {
    if (!navigator.clipboard) return;
    for (const button of root.querySelectorAll("[data-copy][hidden]")) button.hidden = false;
  };
  document.addEventListener("click", async (event) => {
    const button = event.target.closest("[data-copy]");
    if (!button) return;
    const source = document.querySelector(button.dataset.copy);
    await navigator.clipboard.writeText(source.value ?? source.textContent.trim());
    const label = button.querySelector("span") ?? button;
    const before = label.textContent;
    label.textContent = button.dataset.done;
    setTimeout(() => { label.textContent = before; }, 2000);
  });
  document.addEventListener("focusin", (event) => {
    if (event.target.matches("[data-select]")) event.target.select();
  });

  /* Forms that move money are sent once. The server would refuse the second anyway; this spares the wait. */
  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (!form.matches("[data-once]")) return;
    if (form.dataset.sent) { event.preventDefault(); return; }
    form.dataset.sent = "yes";
    form.setAttribute("aria-busy", "true");
  });
  /* A page that comes back from the browser's memory may be sent again. */
  addEventListener("pageshow", () => {
    for (const form of document.querySelectorAll("[data-once][data-sent]")) {
      delete form.dataset.sent;
      form.removeAttribute("aria-busy");
    }
  });

  /* A moment at which something happens, where the reader is: ", 16:03 in Berlin". The page itself says UTC. */
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
  const there = (at, options) => new Intl.DateTimeFormat("en-GB", options).format(at);
  const tellHere = (root) => {
    for (const time of root.querySelectorAll("time[data-here]")) {
      delete time.dataset.here;
      const at = new Date(time.dateTime);
      const clock = { hour: "2-digit", minute: "2-digit" };
      const date = { day: "numeric", month: "short" };
      const same = (options) => there(at, { ...options, timeZone: zone }) === there(at, { ...options, timeZone: "UTC" });
      if (!zone || same({ ...date, ...clock })) continue;
      const day = same(date) ? "" : `${there(at, { ...date, timeZone: zone })}, `;
      const place = zone.split("/").pop().replaceAll("_", " ");
      const here = document.createElement("span");
      here.className = "here";
      here.textContent = `(${day}${there(at, { ...clock, timeZone: zone })} in ${place})`;
      time.append(" ", here);
    }
  };

  document.addEventListener("htmx:afterSwap", (event) => { prepare(event.target); tellHere(event.target); });
  prepare(document);
  tellHere(document);
})();
