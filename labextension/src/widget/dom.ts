/**
 * Elements in few words.
 */
type Child = Node | string;

export function element<Tag extends keyof HTMLElementTagNameMap>(
  tag: Tag,
  attributes: Record<string, string>,
  ...children: Child[]
): HTMLElementTagNameMap[Tag] {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    node.setAttribute(name, value);
  }
  node.append(...children);
  return node;
}

/** The stroke of a line, as the key of a chart has it. */
export function stroke(colour: string, dash: readonly number[]): SVGElement {
  const space = 'http://www.w3.org/2000/svg';
  const svg = document.createElementNS(space, 'svg');
  svg.setAttribute('viewBox', '0 0 20 4');
  svg.setAttribute('aria-hidden', 'true');
  const path = document.createElementNS(space, 'path');
  path.setAttribute('d', 'M0 2h20');
  path.setAttribute('stroke-width', '3');
  path.setAttribute('stroke-dasharray', dash.join(' '));
  path.style.stroke = colour;
  svg.append(path);
  return svg;
}
