// Files over the limit are refused before Gradio sees them, which has a shorter word for it and leaves an empty box.
() => {
  const MB = 1024 * 1024;

  const look = (event, files) => {
    const box = event.target.closest?.(".fg-limited");
    if (!box || !files?.length) return;
    const said = box.nextElementSibling;
    if (said?.classList.contains("fg-too-large")) said.remove();
    const large = [...files].find(file => file.size > LIMIT * MB);
    if (!large) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    if (event.type === "change") event.target.value = ""; // else the same file could not be chosen again
    else event.target.dispatchEvent(new DragEvent("dragleave", { bubbles: true }));
    const problem = Object.assign(document.createElement("div"), { className: "fg-info fg-problem fg-too-large" });
    problem.setAttribute("role", "alert");
    problem.textContent =
      `${large.name} has ${(large.size / MB).toFixed(1)} MB, and this page takes files of up to LIMIT MB. ` +
      "Use a smaller one, or python -m fgrn, which has no such limit.";
    box.after(problem);
  };

  addEventListener("change", event => event.target.type === "file" && look(event, event.target.files), true);
  addEventListener("drop", event => look(event, event.dataTransfer?.files), true);
}
