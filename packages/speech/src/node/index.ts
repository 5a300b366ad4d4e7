export { createFeatureCache, type FeatureCache } from './feature-cache.ts';
export { FileFault, folderTree, inReadingOrder, inTurns, readText, treeBelow, type FileTree, type Listing } from './file-tree.ts';
export { isArchive, openTree } from './open-tree.ts';
export { createAudioPool, sharedAudioPool, type AudioPool, type AudioPoolOptions } from './audio-pool.ts';
export { decodeAudio } from './decode-audio.ts';
export { readAudio } from './read-audio.ts';
