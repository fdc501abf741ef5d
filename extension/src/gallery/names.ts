/** Names of copies. */
/** The name, or with a number if there is such a file: nobody's work is written over. */
export function freeName(name: string, there: ReadonlySet<string>): string {
  const stem = name.replace(/\.ipynb$/, '');
  for (let number = 0; ; number++) {
    const tried = number ? `${stem}-${number}.ipynb` : name;
    if (!there.has(tried)) {
      return tried;
    }
  }
}
