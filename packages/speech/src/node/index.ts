export { createFeatureCache, type FeatureCache } from './feature-cache.ts';
export { FileFault, folderTree, inReadingOrder, inTurns, readText, treeBelow, type FileTree, type Listing } from './file-tree.ts';
export { isArchive, openTree } from './open-tree.ts';
export { decodeAudio, readAudio } from './read-audio.ts';
