// Gradio gives every radio button a name of its own, so that arrow keys do not lead from one to the next, and no name to
// the groups of what can be ticked. Both are told to the browser here, for whatever is drawn.
() => {
  let asked = false;
  const name = () => {
    asked = false;
    document.querySelectorAll("fieldset").forEach((group, number) => {
      const title = group.querySelector("[data-testid=block-info]")?.textContent.trim();
      if (title && group.getAttribute("aria-label") !== title) group.setAttribute("aria-label", title);
      const radios = group.querySelectorAll("input[type=radio]");
      const shared = group.dataset.radios ??= `group-${number}-${Math.random().toString(36).slice(2)}`;
      for (const radio of radios) if (radio.name !== shared) radio.name = shared;
    });
  };
  const look = () => {
    if (!asked) requestAnimationFrame(name);
    asked = true;
  };
  new MutationObserver(look).observe(document.body, { childList: true, subtree: true });
  look();
}
