// The only script of these pages, and none needs it: a link to an answer is copied instead of followed.
for (const link of document.querySelectorAll("a.copy")) {
  link.setAttribute("aria-live", "polite"); // that it is copied is read out
  link.addEventListener("click", async (event) => {
    if (!navigator.clipboard) return;
    event.preventDefault();
    await navigator.clipboard.writeText(link.href);
    link.textContent = link.dataset.copied;
  });
}
