/** The kernel's side of a widget, as a view uses it. */
import * as React from 'react';

/** What anywidget gives. */
export interface IModel {
  get(name: string): unknown;
  set(name: string, value: unknown): void;
  save_changes(): void;
  send(content: object): void;
  on(event: string, callback: () => void): void;
  off(event: string, callback: () => void): void;
}

export const ModelContext = React.createContext<IModel>(null as unknown as IModel);

/** A trait and what sets it, there and here. */
export function useTrait<T>(name: string): [T, (value: T) => void] {
  const model = React.useContext(ModelContext);
  const value = React.useSyncExternalStore(
    React.useCallback(
      listener => {
        model.on(`change:${name}`, listener);
        return () => model.off(`change:${name}`, listener);
      },
      [model, name]
    ),
    () => model.get(name) as T
  );
  const set = React.useCallback(
    (changed: T) => {
      model.set(name, changed);
      model.save_changes();
    },
    [model, name]
  );
  return [value, set];
}

/** Ask the kernel to do something. */
export function useAct(): (verb: string, content?: object) => void {
  const model = React.useContext(ModelContext);
  return React.useCallback((verb, content = {}) => model.send({ ...content, do: verb }), [model]);
}
