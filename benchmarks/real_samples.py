"""Which recordings `real_scenes.py` builds its clips from."""

from __future__ import annotations

RINGING = (
    "drum_tom_lo_hard",
    "drum_tom_mid_hard",
    "drum_tom_hi_hard",
    "drum_cymbal_hard",
    "drum_cymbal_open",
    "drum_splash_hard",
    "perc_bell",
    "tabla_tas1",
    "elec_bong",
    "elec_chime",
    "elec_triangle",
    "tabla_tun1",
    "tabla_na",
    "elec_bell",
)
DRY = (
    "drum_snare_hard",
    "drum_cowbell",
    "drum_cymbal_closed",
    "elec_wood",
    "elec_pop",
    "elec_tick",
    "perc_snap",
    "bd_haus",
    "tabla_te1",
    "drum_bass_hard",
    "sn_dolf",
    "elec_hi_snare",
    "perc_impact1",
    "tabla_ke1",
    "elec_blip2",
    "sn_zome",
)
LOOPS = {
    "loop_amen": 4,
    "loop_amen_full": 16,
    "loop_breakbeat": 4,
    "loop_compus": 16,
    "loop_mika": 16,
    "loop_safari": 16,
    "loop_industrial": 2,
    "loop_electric": 4,
    "loop_perc1": 4,
    "loop_perc2": 4,
    "loop_mehackit1": 4,
    "loop_mehackit2": 4,
    "loop_garzul": 16,
}
"""Beats of each loop: with its length they give its tempo (97 BPM for those of 2.474 s, as a name among them says)."""
STEADY = ("ambi_soft_buzz", "ambi_drone", "ambi_glass_hum", "vinyl_hiss", "ambi_haunted_hum")
NOISES = ("vinyl_hiss", "ambi_sauna", "perc_swash", "elec_cymbal", "drum_cymbal_soft", "drum_cymbal_open")
STRUCK = ("P200 Piano", "Vibraphone", "Harp", "Rhodes", "Jazz Guitar", "Nylon", "Marimba", "Electric Piano")
BLOWN = ("Flute", "Clarinet", "Oboe", "trombone", "Church Organ", "Violin", "Cello", "E's Bassoon", "Baritone", "Viola")
