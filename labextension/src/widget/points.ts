/**
 * The points of curves, of which only new ones come from the kernel.
 */
import { type ICurve, sorted } from '../charts/curves';

/** So many points of a curve that are known stay, and then come these. */
export interface INews extends ICurve {
  keep: number;
}

export interface IPoints {
  type: 'points';
  /** One more than that of the message before. */
  serial: number;
  /** Whether it needs no message before it. */
  whole: boolean;
  curves: INews[];
}

export class Points {
  /** Whether the message goes on where the one before has ended; if not, all has to be asked for. */
  take({ serial, whole, curves }: IPoints): boolean {
    if (whole) {
      this.curves.clear();
    } else if (serial !== this.serial + 1) {
      return false;
    }
    this.serial = serial;
    for (const { name, keep, x, y } of curves) {
      const known = this.curves.get(name) ?? { name, x: [], y: [] };
      this.curves.set(name, {
        name,
        x: [...known.x.slice(0, keep), ...x],
        y: [...known.y.slice(0, keep), ...y]
      });
    }
    return true;
  }

  /** Those of these names that there are. */
  of(names: readonly string[]): ICurve[] {
    return names
      .map(name => this.curves.get(name))
      .filter(curve => curve !== undefined)
      .map(sorted);
  }

  private readonly curves = new Map<string, ICurve>();
  private serial = NaN;
}
