"""The three films and what moves in them: timelines, keyframes, camera, optical flow."""
