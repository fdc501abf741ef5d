/** What is done over and over while somebody looks. */

/**
 * Do it now, and again so many milliseconds after each end, until it answers false. `isLeft` tells it
 * whether nobody looks any more. Returns what stops it.
 */
export function repeated(
  act: (isLeft: () => boolean) => Promise<boolean>,
  period: number
): () => void {
  let timer: ReturnType<typeof setTimeout> | undefined;
  let left = false;
  const once = async () => {
    if ((await act(() => left)) && !left) {
      timer = setTimeout(() => void once(), period);
    }
  };
  void once();
  return () => {
    left = true;
    clearTimeout(timer);
  };
}
