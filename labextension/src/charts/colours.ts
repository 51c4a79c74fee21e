/**
 * The colours of a chart: those of the theme, be it JupyterLab's or VS Code's, and dashes for those
 * who cannot tell them apart. `jupyter_training.notebook.chart` has the same ones for pictures.
 */
import LINES from './lines.json';

/** Variables of themes, of which the first that there is counts, and what counts without them. */
export interface IColour {
  theme: readonly string[];
  colour: string;
}

export const TEXT: IColour = {
  theme: ['--jp-ui-font-color2', '--vscode-descriptionForeground'],
  colour: '#6b7280'
};

export const GRID: IColour = {
  theme: ['--jp-border-color2', '--vscode-widget-border'],
  colour: '#c8ccd1'
};

/** The colour of a line by its place; then they begin again. */
export function colourOf(place: number): IColour {
  return LINES[place % LINES.length];
}

export function dashOf(place: number): number[] {
  return LINES[place % LINES.length].dash;
}

/** As a style sheet has it. */
export function css({ theme, colour }: IColour): string {
  return theme.reduceRight(
    (rest, variable) => `var(${variable}, ${rest})`,
    colour
  );
}

/** As it is at the moment at a place of the page: a canvas knows no variables. */
export function resolved({ theme, colour }: IColour, at: Element): string {
  const style = getComputedStyle(at);
  const found = theme.map(one => style.getPropertyValue(one).trim());
  return found.find(one => one !== '') ?? colour;
}
