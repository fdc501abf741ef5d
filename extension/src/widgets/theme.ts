/** The page's theme: charts take their colours from it when they are drawn. */
import * as React from 'react';

export const ThemeContext = React.createContext('');

/** Changes when the theme does. */
export function useTheme(): string {
  const [theme, setTheme] = React.useState(current);
  React.useEffect(() => {
    const observer = new MutationObserver(() => setTheme(current()));
    observer.observe(document.body, { attributes: true });
    return () => observer.disconnect();
  }, []);
  return theme;
}

function current(): string {
  const { jpThemeName = '', jpThemeLight = '' } = document.body.dataset;
  return `${jpThemeName} ${jpThemeLight}`;
}
