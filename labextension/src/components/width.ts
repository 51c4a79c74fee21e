import { type RefObject, useEffect, useState } from 'react';

/** The width of an element (px), as it is at the moment. */
export function useWidth(
  element: RefObject<HTMLElement | null>,
  first: number
): number {
  const [width, setWidth] = useState(first);
  useEffect(() => {
    const node = element.current;
    if (node === null) {
      return;
    }
    const resized = new ResizeObserver(() => setWidth(node.clientWidth));
    resized.observe(node);
    return () => resized.disconnect();
  }, [element]);
  return width;
}
