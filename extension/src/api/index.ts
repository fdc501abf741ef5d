/** The hub's API: its types under short names, the one fetch and the one stream. */
import type { components } from './types';

type Schemas = components['schemas'];

export type Job = Schemas['Job'];
export type JobState = Schemas['JobState'];
export type JobFile = Schemas['JobFile'];
export type JobEvent = Schemas['JobEvent'];
export type MetricPoint = Schemas['MetricPoint'];
export type HubStatus = Schemas['HubStatus'];
export type TargetSummary = Schemas['TargetSummary'];
export type Target = Schemas['ComputeTargetInfo'];
export type TargetState = Schemas['TargetState'];
export type TargetNode = Schemas['Node'];
export type TargetLimits = Partial<Schemas['Scale']>;
export type HostedKernel = Schemas['HostedKernel'];
export type TargetEvent = Schemas['TargetEvent'];
/** A new target: each kind has fields of its own. */
export type TargetDefinition = { name: string; kind: string } & Partial<
  | Omit<Schemas['ClusterDefinition'], 'kind'>
  | Omit<Schemas['InstanceDefinition'], 'kind'>
  | Omit<Schemas['AttachedDefinition'], 'kind'>
>;
export type PowerSchedule = Schemas['PowerSchedule'];
/** The key that a machine shows now. */
export type HostKey = Schemas['ShownKey'];
export type Environment = Schemas['EnvironmentSummary'];
export type Experiment = Schemas['Experiment'];
export type NotebookInspection = Schemas['NotebookInspection'];
export type NotebookParameter = Schemas['NotebookParameter'];
export type PruneReport = Schemas['PruneReport'];
export type JobDefinition = Partial<Schemas['JobDefinition']> & {
  path: string;
};

export { ApiError, request, fileUrl } from './request';
export { EventStream, type ConnectionState } from './events';
