// The part of a monitor that only a browser can do: say that somebody looks, copy, open the job in
// the sidebar, and have the sidebar say the sentences of the server in the language of the page.
// Shown by anywidget, so it needs no build.

const EVERY_MS = 15_000;
const PANEL = 'jupyter-training-panel';

function button(label, title, onClick) {
  const node = document.createElement('button');
  node.type = 'button';
  node.className = 'jupyter-widgets jupyter-button widget-button jt-button';
  node.textContent = label;
  node.title = title;
  // Enter is for the button, and not for the notebook around it.
  node.setAttribute('data-lm-suppress-shortcuts', 'true');
  node.addEventListener('click', onClick);
  return node;
}

async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    // Only a secure page has a clipboard.
    const field = document.createElement('textarea');
    field.value = text;
    document.body.append(field);
    field.select();
    document.execCommand('copy');
    field.remove();
  }
}

function openInSidebar(job) {
  // How a page asks JupyterLab for one of its commands.
  const link = document.createElement('a');
  link.dataset.commandlinkerCommand = 'training:open';
  link.dataset.commandlinkerArgs = JSON.stringify({ job });
  document.body.append(link);
  link.click();
  link.remove();
}

function wordFor(model) {
  const detail = { sentences: model.get('sentences') };
  // Who hears this answers at once; where the extension is not, nobody does.
  document.dispatchEvent(new CustomEvent('jupyter-training:words', { detail }));
  if (detail.words) {
    model.send({ type: 'worded', words: detail.words });
  }
}

function render({ model, el }) {
  const job = model.get('job');
  let forget = () => undefined;
  if (job) {
    const word = name => model.get('words')[name];
    const copying = button('', job, async () => {
      await copy(job);
      copying.textContent = word('copied');
      setTimeout(say, 2000);
    });
    const open = button('', '', () => openInSidebar(job));
    const say = () => {
      copying.textContent = word('copy');
      open.textContent = word('open');
      open.title = word('opens');
    };
    say();
    model.on('change:words', say);
    forget = () => model.off('change:words', say);
    el.append(open, copying);
    // Only where JupyterLab has the extension.
    open.hidden = document.getElementById(PANEL) === null;
  }
  const language = document.documentElement.lang;
  const looks = () => model.send({ type: 'looks', language });
  looks();
  const word = () => model.get('sentences').length && wordFor(model);
  model.on('change:sentences', word);
  word();
  const timer = setInterval(looks, EVERY_MS);
  // A page that was asleep does not wait for its timer.
  const woken = () => document.visibilityState === 'visible' && looks();
  document.addEventListener('visibilitychange', woken);
  return () => {
    forget();
    model.off('change:sentences', word);
    clearInterval(timer);
    document.removeEventListener('visibilitychange', woken);
  };
}

export default { render };
