import { LabIcon } from '@jupyterlab/ui-components';

/** A curve that goes down: a loss. */
export const trainingIcon = new LabIcon({
  name: 'jupyter-training:icon',
  svgstr: `<svg xmlns="http://www.w3.org/2000/svg" width="16" viewBox="0 0 24 24">
  <path class="jp-icon3 jp-icon-selectable" fill="none" stroke="#616161" stroke-width="2"
    stroke-linecap="round" stroke-linejoin="round" d="M4 3v17h17M7 6c1.5 7 5 10 13 10.500"
    style="fill:none"/>
  <circle class="jp-icon3 jp-icon-selectable" fill="#616161" cx="14" cy="7" r="2.500"/>
</svg>`
});
