/** Code with MLflow in it, for the notebook in front. */

let isTracked: () => boolean = () => false;

/** Tells whether the notebook in front has a kernel of an instance. */
export function setTracked(tell: () => boolean): void {
  isTracked = tell;
}

/** The code, with what lets MLflow reach the workspace: on a kernel of an instance it does that
 * already, and may not have the SDK. */
export function mlflowCode(code: string): string {
  return isTracked()
    ? `import mlflow\n\n${code}`
    : `import mlflow\nimport perijove as pj\n\npj.Workspace().track()\n${code}`;
}
