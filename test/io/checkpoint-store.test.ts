import { describe } from 'vitest'
import { memoryCheckpointStore } from '../../stream/runtime/checkpoint-store.ts'
import { checkpointStoreSuite } from './checkpoint-store.suite.ts'

describe('checkpoints in memory', () => checkpointStoreSuite(async () => memoryCheckpointStore()))
