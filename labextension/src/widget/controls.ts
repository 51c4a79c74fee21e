/**
 * What is chosen of a chart: its metrics, a logarithmic axis, smoothing.
 */
import { element } from './dom';
import { type IWidgetModel, listen } from './host';
import { type IState, word } from './state';

/** The controls, and what lets go of the model. */
export function controls(
  model: IWidgetModel<IState>
): [HTMLElement, () => void] {
  const change = <Key extends keyof IState>(
    key: Key,
    value: IState[Key]
  ): void => {
    model.set(key, value);
    model.save_changes();
  };

  const title = element('legend', {});
  const names = element('fieldset', { class: 'jt-chart-names' }, title);
  const boxes = new Map<string, HTMLInputElement>();
  // Those that are there stay: one of them may have the focus.
  const listNames = (): void => {
    const known = model.get('names');
    for (const [name, box] of boxes) {
      if (!known.includes(name)) {
        box.parentElement?.remove();
        boxes.delete(name);
      }
    }
    for (const name of known.filter(one => !boxes.has(one))) {
      const box = element('input', { type: 'checkbox' });
      box.addEventListener('change', () => {
        const others = model.get('shown').filter(one => one !== name);
        change('chosen', box.checked ? [...others, name] : others);
      });
      boxes.set(name, box);
      names.append(element('label', {}, box, ` ${name}`));
    }
    for (const [name, box] of boxes) {
      box.checked = model.get('shown').includes(name);
    }
  };

  const log = element('input', { type: 'checkbox' });
  log.addEventListener('change', () => change('is_log', log.checked));

  const weight = element('input', {
    type: 'range',
    min: '0',
    max: '0.99',
    step: '0.01'
  });
  const said = element('output', {});
  weight.addEventListener('input', () =>
    change('smoothing', Number(weight.value))
  );

  const show = (): void => {
    root.hidden = !model.get('is_open');
    log.checked = model.get('is_log');
    weight.value = String(model.get('smoothing'));
    said.textContent = model.get('smoothing').toFixed(2);
  };
  const logWord = new Text();
  const weightWord = new Text();
  const say = (): void => {
    title.textContent = word(model, 'metrics');
    logWord.data = ` ${word(model, 'log')}`;
    weightWord.data = `${word(model, 'smoothing')} `;
  };
  const root = element(
    'div',
    { class: 'jt-chart-controls' },
    names,
    element('label', {}, log, logWord),
    element('label', {}, weightWord, weight, ' ', said)
  );
  say();
  listNames();
  show();
  const stop = [
    listen(model, 'change:names', listNames),
    listen(model, 'change:shown', listNames),
    listen(model, 'change:words', say),
    ...['is_open', 'is_log', 'smoothing'].map(key =>
      listen(model, `change:${key}`, show)
    )
  ];
  return [root, () => stop.forEach(one => one())];
}
