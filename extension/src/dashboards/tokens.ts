/** Names and addresses of dashboards. */
export const PLUGIN_ID = 'perijove:dashboards';
export const COMMAND = 'perijove:open-dashboard';

export type DashboardName = 'workspace' | 'leaderboard' | 'model_card';

export const DASHBOARD_ARGS = {
  type: 'object',
  properties: {
    name: {
      type: 'string',
      enum: ['workspace', 'leaderboard', 'model_card'],
      description: 'Which one; without it, the user is asked'
    },
    experiment: { type: 'string', description: 'What the leaderboard shows' },
    model: { type: 'string', description: 'What the model card shows' },
    row: { type: 'boolean', description: 'Is it about the row that was clicked?' }
  }
} as const;

export interface IDashboard {
  name: DashboardName;
  experiment?: string;
  model?: string;
}

/** What makes two of them the same. */
export function keyOf({ name, experiment, model }: IDashboard): string {
  return [name, experiment ?? model].filter(Boolean).join(' ');
}

/** Where it is below the server's base URL; what is not given is left out. */
export function dashboardUrl(
  name: DashboardName,
  given: Record<string, string | undefined>
): string {
  const query = new URLSearchParams();
  for (const [key, value] of Object.entries(given)) {
    if (value) {
      query.set(key, value);
    }
  }
  return `perijove/dashboards/${name}?${query}`;
}
