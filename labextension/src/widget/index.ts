/**
 * The chart of a job in a cell: a module for anywidget, with the curves, colours and numbers of the
 * sidebar, and nothing of JupyterLab.
 */
import { colourOf, css, dashOf } from '../charts/colours';
import type { ICurve } from '../charts/curves';
import { aligned, lastValue, Plot } from '../charts/plot';
import { figure } from '../model/times';
import { controls } from './controls';
import { element, stroke } from './dom';
import { type IRenderProps, listen } from './host';
import { type IPoints, Points } from './points';
import { type IState, word } from './state';

/** In pixels. */
const HEIGHT = 108;

function render({ model, el }: IRenderProps<IState>): () => void {
  const points = new Points();
  const texts = {
    xText: figure,
    yText: figure,
    tipText: (x: number) => word(model, 'step', figure(x))
  };
  const key = element('figcaption', {});
  const host = element('div', { role: 'img', class: 'jt-chart-plot' });
  const [settings, forget] = controls(model);
  // Keys are for the controls, and not for the notebook around them.
  const root = element(
    'div',
    { class: 'jt-chart', 'data-lm-suppress-shortcuts': 'true' },
    element('figure', { class: 'jp-TrainingChart' }, key, host),
    settings
  );
  el.append(root);

  let plot: Plot | undefined;
  let drawn = '';
  let frame = 0;
  const draw = (): void => {
    frame = 0;
    const curves = points.of(model.get('shown'));
    const isLog = model.get('is_log');
    const smoothing = model.get('smoothing');
    const data = aligned(curves, smoothing, isLog);
    const names = curves.map(({ name }) => name);
    const kind = JSON.stringify([names, isLog, smoothing > 0]);
    if (kind === drawn) {
      plot?.setData(data);
    } else {
      plot?.dispose();
      plot = curves.length
        ? new Plot(
            host,
            {
              names,
              isLog,
              isSmoothed: smoothing > 0,
              height: HEIGHT,
              texts: () => texts
            },
            data
          )
        : undefined;
      drawn = kind;
    }
    tell(curves);
  };
  const tell = (curves: readonly ICurve[]): void => {
    const words = curves.map(curve => {
      const last = lastValue(curve);
      return last === null ? curve.name : `${curve.name} ${figure(last)}`;
    });
    key.replaceChildren(
      ...words.map((text, place) =>
        element(
          'span',
          { class: 'jp-TrainingChart-key' },
          stroke(css(colourOf(place)), dashOf(place)),
          text
        )
      )
    );
    host.setAttribute('aria-label', word(model, 'chart', words.join(', ')));
  };
  /** However much comes at once, it is drawn once. */
  const request = (): void => {
    frame ||= requestAnimationFrame(draw);
  };
  const ask = (): void => model.send({ type: 'points' });
  const take = (message: IPoints): void => {
    if (message.type !== 'points') {
      return;
    }
    if (points.take(message)) {
      request();
    } else {
      ask();
    }
  };
  const stop = [
    listen(model, 'msg:custom', take),
    ...['shown', 'is_log', 'smoothing', 'words'].map(one =>
      listen(model, `change:${one}`, request)
    )
  ];
  ask();
  return () => {
    stop.forEach(one => one());
    forget();
    cancelAnimationFrame(frame);
    plot?.dispose();
  };
}

export default { render };
