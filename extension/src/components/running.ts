/** Signals as JupyterLab's Running panel wants them. */
import { ISignal, Signal } from '@lumino/signaling';

/**
 * Fires when what `words` says has changed, and not with every figure: the panel draws its list
 * anew each time. What is there already counts as said, since the panel asks for that itself.
 */
export function whenDifferent(
  changed: ISignal<unknown, void>,
  words: () => string
): Signal<object, void> {
  const different = new Signal<object, void>({});
  let said = words();
  changed.connect(() => {
    const now = words();
    if (now !== said) {
      said = now;
      different.emit();
    }
  });
  return different;
}
