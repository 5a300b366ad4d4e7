export { resampleAudio } from '@coppice/speech';
