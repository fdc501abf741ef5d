/** Code with MLflow in it, for the notebook in front. */

let kernelName: () => string | undefined = () => undefined;

/** Tells which kernel the notebook in front has. */
export function setKernelName(tell: () => string | undefined): void {
  kernelName = tell;
}

/** The code, with what lets MLflow reach the workspace: on a kernel of an instance it does that
 * already, and may not have the SDK. */
export function mlflowCode(code: string): string {
  return kernelName()?.includes('@')
    ? `import mlflow\n\n${code}`
    : `import mlflow\nimport perijove as pj\n\npj.Workspace().track()\n${code}`;
}
