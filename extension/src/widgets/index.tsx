/** What a notebook's widgets draw: the entry of the bundle that the kernel sends to a page. */
import * as React from 'react';
import { createRoot } from 'react-dom/client';

import uplot from 'uplot/dist/uPlot.min.css';

import compute from '../../style/compute.css';
import documents from '../../style/document.css';
import panel from '../../style/panel.css';
import studio from '../../style/studio.css';
import widgets from '../../style/widgets.css';

import { ComputeView } from './compute';
import { Figures } from './figures';
import { JobCard, JobTable } from './jobs';
import { ModelContext, type IModel, useTrait } from './model';
import { LineageView, ModelRegistry } from './models';
import { CompareRuns, MetricChart, RunView } from './runs';
import { RunTable } from './runtable';
import { ThemeContext, useTheme } from './theme';

const VIEWS: Record<string, React.FunctionComponent> = {
  CompareRuns,
  ComputeView,
  Figures,
  JobCard,
  JobTable,
  LineageView,
  MetricChart,
  ModelRegistry,
  RunTable,
  RunView
};
const STYLES = 'jp-perijove-widget-styles';

/** Draw the widget until the function that is returned is called. */
export function render({ model, el }: { model: IModel; el: HTMLElement }): () => void {
  addStyles();
  el.classList.add('jp-perijove-widget');
  const root = createRoot(el);
  root.render(
    <ModelContext.Provider value={model}>
      <Widget />
    </ModelContext.Provider>
  );
  model.send({ do: 'shown' });
  return () => {
    model.send({ do: 'hidden' });
    root.unmount();
  };
}

function Widget(): React.ReactElement {
  const [name] = useTrait<string>('view');
  const [problem] = useTrait<string>('problem');
  const theme = useTheme();
  const View = VIEWS[name];
  return (
    <ThemeContext.Provider value={theme}>
      {problem && (
        <div className="jp-perijove-broken" role="alert">
          {problem}
        </div>
      )}
      <Boundary>{View && <View />}</Boundary>
    </ThemeContext.Provider>
  );
}

/** What cannot be drawn says so, and leaves the page alone. */
class Boundary extends React.Component<React.PropsWithChildren, { error: string }> {
  state = { error: '' };

  static getDerivedStateFromError(error: unknown): { error: string } {
    return { error: String(error) };
  }

  render(): React.ReactNode {
    return this.state.error ? (
      <div className="jp-perijove-broken" role="alert">
        {this.state.error}
      </div>
    ) : (
      this.props.children
    );
  }
}

/** Once a page; JupyterLab with the extension has most of them already. */
function addStyles(): void {
  if (!document.getElementById(STYLES)) {
    const style = document.createElement('style');
    style.id = STYLES;
    style.textContent = [uplot, panel, documents, compute, studio, widgets].join('\n');
    document.head.append(style);
  }
}
