import './base.css';
import './contrast.css';
